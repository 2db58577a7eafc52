/** Hands a program to GPU.js, with everything about it stated rather than inferred, and checks where it really runs. */
import type { GPU, IGPUKernelSettings, IKernelRunShortcut } from "gpu.js"
import { UnsupportedKernel } from "../../Errors.ts"
import type { GpujsMode } from "./Device.ts"
import { functionText } from "./functionText.ts"
import type { GpujsProgram, HelperFunction } from "./GpujsBody.ts"

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
  program: GpujsProgram,
  settings: { readonly operandType: string; readonly pipeline: boolean; readonly immutable: boolean }
): IKernelRunShortcut => {
  const { compute, reads, scalars = [], constants = {}, tables = {}, helpers = [], extent, output } = program
  if (compute.length !== reads.length + scalars.length) {
    const given = `${reads.length} operands and ${scalars.length} scalars`
    throw new UnsupportedKernel(
      kernel,
      `gpujs:${gpu.mode}`,
      `"${output}" takes ${compute.length} parameters, got ${given}`
    )
  }
  const complete: IGPUKernelSettings & { readonly [setting: string]: unknown } = {
    output: [...extent],
    argumentTypes: [...reads.map(() => settings.operandType), ...scalars.map(() => "Float")] as never,
    returnType: "Number",
    constants: { ...constants, ...tables },
    constantTypes: { ...named(Object.keys(constants), "Integer"), ...named(Object.keys(tables), "Array") },
    dynamicArguments: true, // operands of one length may lie in storage of another
    functions: helpers.map(helperOf) as never[],
    loopMaxIterations: 2 ** 31 - 1,
    precision: "single",
    tactic: "precision",
    pipeline: settings.pipeline,
    immutable: settings.immutable
  }
  return gpu.createKernel(functionText(compute), complete)
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
