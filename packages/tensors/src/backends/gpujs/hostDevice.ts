/** Modes `webasm` and `cpu`: tensors are arrays of this process, programs return new ones. */
import { GPU, type IKernelRunShortcut } from "gpu.js"
import { assertMode, createProgram } from "./createProgram.ts"
import { type CompiledProgram, type Device, makeMeter } from "./Device.ts"
import { flatten, type Nested } from "./flatten.ts"
import type { GpujsProgram } from "./GpujsBody.ts"

/** GPU.js keeps every kernel it made; the cpu mode's `destroy` forgets to let go. */
const forget = (gpu: GPU, shortcut: IKernelRunShortcut) => {
  shortcut.destroy()
  const { kernels } = gpu as unknown as { readonly kernels: unknown[] }
  const index = kernels.indexOf(shortcut.kernel)
  if (index >= 0) kernels.splice(index, 1)
}

export const makeHostDevice = (mode: "webasm" | "cpu"): Device<Float32Array> => {
  const gpu = new GPU({ mode })
  const meter = makeMeter()
  const hold = (values: Float32Array) => {
    meter.add(values.byteLength)
    return values
  }
  const compile = (kernel: string, program: GpujsProgram): CompiledProgram<Float32Array> => {
    const shortcut = createProgram(gpu, kernel, program, { operandType: "Array", pipeline: false, immutable: false })
    const size = program.extent.reduce((product, extent) => product * extent, 1)
    let checked = false
    return {
      run: async (operands, scalars) => {
        // These modes answer at once today; GPU.js 3 returns a promise from every call.
        const result = (await shortcut(...([...operands, ...scalars] as never[]))) as unknown as Nested
        if (!checked) assertMode(shortcut, mode, kernel)
        checked = true
        return hold(flatten(result, size))
      },
      destroy: () => forget(gpu, shortcut)
    }
  }
  return {
    name: `gpujs:${mode}`,
    elementBytes: 4,
    // A WebAssembly memory ends at 4 GiB, and a program's operands and result share one.
    maxElements: mode === "webasm" ? 2 ** 29 : 2 ** 31 - 1,
    upload: (values) => hold(values),
    download: (values) => values,
    release: (values) => meter.remove(values.byteLength),
    compile,
    usage: meter.usage,
    takeFailure: () => undefined,
    close: () => gpu.destroy()
  }
}
