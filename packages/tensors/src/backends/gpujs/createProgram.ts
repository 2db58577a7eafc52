/** Hands a program to GPU.js, with everything about it stated rather than inferred, and checks where it really runs. */
import type { GPU, IGPUKernelSettings, IKernelRunShortcut } from "gpu.js"
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { GpujsMode } from "./Device.ts"
import { functionText, withParameters } from "./functionText.ts"
import type { GpujsProgram, HelperFunction } from "./GpujsBody.ts"

interface ProgramSettings {
  /** GPU.js's name for the type of operands. */
  readonly operandType: "Array" | "ArrayTexture(1)"
  /** Sizes are compiled in like constants; else they are further parameters. */
  readonly fixed: boolean
  readonly more?: IGPUKernelSettings
  /** Text before the functions: GLSL wants a function declared before its use, and GPU.js does not always see to it. */
  readonly declare?: (helper: HelperFunction) => string
}

/** A helper with its types stated: GPU.js would take them from the first call that it meets. */
const helperOf = (helper: HelperFunction) => ({
  source: functionText(helper),
  settings: { argumentTypes: Array.from({ length: helper.length }, () => "Float"), returnType: "Number" }
})

const named = <T>(names: readonly string[], value: T): { [name: string]: T } =>
  Object.fromEntries(names.map((name) => [name, value]))

/** A kernel of GPU.js for the program: f32 throughout, loops of any length. */
export const createProgram = (
  gpu: GPU,
  kernel: string,
  { compute, reads, scalars = [], constants = {}, sizes = {}, tables = {}, helpers = [], extent, output }: GpujsProgram,
  { operandType, fixed, more, declare }: ProgramSettings
): IKernelRunShortcut => {
  if (compute.length !== reads.length + scalars.length) {
    const given = `${reads.length} operands and ${scalars.length} scalars`
    const reason = `"${output}" takes ${compute.length} parameters, got ${given}`
    throw new UnsupportedKernel(kernel, `gpujs:${gpu.mode}`, reason)
  }
  const names = fixed ? [] : Object.keys(sizes)
  const whole = fixed ? { ...constants, ...sizes } : constants
  const text = functionText(compute)
  const parameters = [...reads.map(() => operandType), ...scalars.map(() => "Float"), ...names.map(() => "Integer")]
  const settings: IGPUKernelSettings & { readonly [setting: string]: unknown } = {
    output: [...extent],
    dynamicOutput: !fixed,
    argumentTypes: parameters as never,
    dynamicArguments: true, // operands of one length may lie in storage of another
    returnType: "Number",
    constants: { ...whole, ...tables },
    constantTypes: { ...named(Object.keys(whole), "Integer"), ...named(Object.keys(tables), "Array") },
    functions: helpers.map(helperOf) as never[],
    loopMaxIterations: 2 ** 31 - 1,
    precision: "single",
    tactic: "precision",
    ...more,
    ...(declare ? { injectedNative: helpers.map(declare).join("\n") } : {})
  }
  return gpu.createKernel(withParameters(text, names), settings)
}

/** Raises UnsupportedKernel when GPU.js fell back to another mode, as it does without an error. */
export const assertMode = (shortcut: IKernelRunShortcut, mode: GpujsMode, kernel: string): void => {
  const running = shortcut.kernel
  const ran = (running.constructor as unknown as { readonly mode: string }).mode
  const reason = running.fallbackReason
  // GPU.js calls its WebGL kernels "gpu".
  if (ran !== (mode === "headlessgl" ? "gpu" : mode) || reason) {
    throw new UnsupportedKernel(
      kernel,
      `gpujs:${mode}`,
      `it would have run in mode ${ran}: ${reason ?? "no reason given"}`
    )
  }
}
