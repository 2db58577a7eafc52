/** Modes `webasm` and `cpu`: tensors are arrays of this process, programs return new ones. */
import type { GPU, IKernelRunShortcut } from "gpu.js"
import { sizeOf } from "../../core/Shape.ts"
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

export const makeHostDevice = (Gpu: typeof GPU, mode: "webasm" | "cpu"): Device<Float32Array> => {
  const gpu = new Gpu({ mode })
  const meter = makeMeter()
  const hold = (values: Float32Array) => {
    meter.add(values.byteLength)
    return values
  }
  const compile = (kernel: string, program: GpujsProgram): CompiledProgram<Float32Array> => {
    const shortcut = createProgram(gpu, kernel, program, { operandType: "Array", fixed: true })
    return {
      run: async ({ scalars = [], extent }, operands) => {
        // These modes answer at once today; GPU.js 3 returns a promise from every call.
        const result = (await shortcut(...([...operands, ...scalars] as never[]))) as unknown as Nested
        assertMode(shortcut, mode, kernel)
        return hold(flatten(result, sizeOf(extent)))
      },
      destroy: () => forget(gpu, shortcut)
    }
  }
  return {
    name: `gpujs:${mode}`,
    elementBytes: () => 4,
    fixed: true,
    // In webasm GPU.js 2.24 keeps loop counters in f32, so positions computed from them are exact up to here only.
    maxElements: () => (mode === "webasm" ? 2 ** 24 : 2 ** 31 - 1),
    upload: (values) => hold(values),
    zeros: (length) => hold(new Float32Array(length)),
    download: (values) => values,
    release: (values) => meter.remove(values.byteLength),
    compile,
    usage: meter.usage,
    takeFailure: () => undefined,
    trim: () => {},
    close: () => gpu.destroy()
  }
}
