/**
 * Mode `headlessgl`: tensors are float textures of a WebGL context without a window.
 * GPU.js keeps the last texture of every program, which its next run writes again; the rest is deleted on release.
 */
import { GPU, type IKernelRunShortcut, type Texture } from "gpu.js"
import { BackendUnavailable, UnsupportedKernel } from "../../Errors.ts"
import { sizeOf } from "../../Shape.ts"
import { assertMode, createProgram } from "./createProgram.ts"
import { type CompiledProgram, type Device, makeMeter } from "./Device.ts"
import { flatten, type Nested } from "./flatten.ts"
import type { GpujsProgram, Thread, Values } from "./GpujsBody.ts"

const name = "gpujs:headlessgl"
/** One element is one RGBA texel of floats. */
const texelBytes = 16
/** Shaders compute texture positions in floats. */
const maxElements = 2 ** 24
/** Programs that upload, one for each length, beyond which the longest unused goes. */
const mostUploads = 64

interface Stored {
  readonly texture: Texture
  readonly length: number
}

function copy(this: Thread, x: Values) {
  return x[this.thread.x]!
}

/** Raises BackendUnavailable when the npm package gl or an X display is missing. */
export const makeHeadlessglDevice = (): Device<Stored> => {
  if (!GPU.isHeadlessGLSupported) {
    throw new BackendUnavailable(
      name,
      "the npm package gl gave no context; install it with npm install gl@8.1.6 (Debian: libxi-dev libxext-dev libx11-dev libgl-dev to build it) and run under an X display (xvfb-run)"
    )
  }
  const gpu = new GPU({ mode: "headlessgl" })
  const meter = makeMeter()
  const hold = (texture: Texture, length: number): Stored => {
    meter.add(texelBytes * length)
    return { texture, length }
  }
  const launch = (shortcut: IKernelRunShortcut, parameters: readonly unknown[]) =>
    shortcut(...(parameters as never[])) as unknown as Texture
  const uploads = new Map<number, IKernelRunShortcut>()
  const uploadOf = (length: number): IKernelRunShortcut => {
    const program: GpujsProgram = { output: "y", compute: copy, reads: ["x"], extent: [length] }
    const shortcut =
      uploads.get(length) ??
      createProgram(gpu, "upload", program, { operandType: "Array", pipeline: true, immutable: true })
    uploads.delete(length) // the order of the map is that of use
    uploads.set(length, shortcut)
    for (const [oldest, unused] of uploads) {
      if (uploads.size <= mostUploads) break
      uploads.delete(oldest)
      unused.destroy()
    }
    return shortcut
  }
  const compile = (kernel: string, program: GpujsProgram): CompiledProgram<Stored> => {
    const limit = gpu.context.getParameter(gpu.context.MAX_TEXTURE_SIZE) as number
    const [x, ...rows] = program.extent
    if (program.extent.length > 1 && (x! > limit || sizeOf(rows) > limit)) {
      throw new UnsupportedKernel(
        kernel,
        name,
        `"${program.output}" has [${program.extent}] elements, textures end at ${limit} a side`
      )
    }
    const shortcut = createProgram(gpu, kernel, program, {
      operandType: "ArrayTexture(1)",
      pipeline: true,
      immutable: true
    })
    return {
      run: async (operands, scalars) => {
        const texture = await launch(shortcut, [...operands.map((operand) => operand.texture), ...scalars])
        assertMode(shortcut, "headlessgl", kernel)
        return hold(texture, sizeOf(program.extent))
      },
      destroy: () => shortcut.destroy()
    }
  }
  return {
    name,
    elementBytes: texelBytes,
    maxElements,
    upload: (values) => hold(launch(uploadOf(values.length), [values]), values.length),
    download: ({ texture, length }) => flatten(texture.toArray() as unknown as Nested, length),
    release: ({ texture, length }) => {
      meter.remove(texelBytes * length)
      texture.delete()
    },
    compile,
    usage: meter.usage,
    takeFailure: () => undefined,
    close: async () => {
      for (const shortcut of uploads.values()) shortcut.destroy()
      await gpu.destroy()
    }
  }
}
