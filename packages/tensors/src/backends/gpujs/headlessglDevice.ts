/**
 * Mode `headlessgl`: tensors are float textures of a WebGL context without a window.
 * GPU.js keeps the last texture of every program, which its next run writes again; the rest is deleted on release.
 */
import type { GPU, IKernelRunShortcut, Texture } from "gpu.js"
import { BackendUnavailable, UnsupportedKernel } from "../../core/Errors.ts"
import { sizeOf } from "../../core/Shape.ts"
import { assertMode, createProgram } from "./createProgram.ts"
import { type CompiledProgram, type Device, makeMeter } from "./Device.ts"
import type { GpujsProgram, HelperFunction, Thread, Values } from "./GpujsBody.ts"

const name = "gpujs:headlessgl"
/** One element is one RGBA texel of floats. */
const texelBytes = 16
/** Shaders compute texture positions in floats. */
const maxElements = 2 ** 24
/** Programs that upload, one for each length, beyond which the longest unused goes. */
const mostUploads = 64

/** Results stay textures, and every run gets one of its own. */
const more = { pipeline: true, immutable: true }

interface Stored {
  readonly texture: Texture
  readonly length: number
}

/** What is used of the class of one-dimensional results, in gpu.js 2.24. */
type FlatTexture = new (settings: object) => Texture

const declare = ({ name, length }: HelperFunction): string =>
  `float ${name}(${Array.from({ length }, () => "float").join(", ")});`

function copy(this: Thread, x: Values) {
  return x[this.thread.x]!
}

/** Raises BackendUnavailable when the npm package gl or an X display is missing. */
export const makeHeadlessglDevice = (Gpu: typeof GPU): Device<Stored> => {
  if (!Gpu.isHeadlessGLSupported) {
    throw new BackendUnavailable(
      name,
      "the npm package gl gave no context; install it with npm install gl@8.1.6 (Debian: libxi-dev libxext-dev libx11-dev libgl-dev to build it) and run under an X display (xvfb-run)"
    )
  }
  const gpu = new Gpu({ mode: "headlessgl" })
  const meter = makeMeter()
  const launch = (shortcut: IKernelRunShortcut, parameters: readonly unknown[]) =>
    shortcut(...(parameters as never[])) as unknown as Texture
  const uploading = (length: number): IKernelRunShortcut => {
    const program: GpujsProgram = { output: "y", compute: copy, reads: ["x"], extent: [length] }
    return createProgram(gpu, "upload", program, { operandType: "Array", fixed: true, more })
  }
  // One kernel that outlives the others reads all textures, so that framebuffers are made for it alone.
  const reader = uploading(1)
  const { constructor: Flat } = launch(reader, [new Float32Array(1)]) as Texture & { readonly constructor: FlatTexture }
  assertMode(reader, "headlessgl", "probe")
  /** The same texture seen as one row: programs tell textures of one, two and three axes apart. */
  const hold = (texture: Texture, length: number): Stored => {
    const seen = { ...texture, kernel: reader.kernel, dimensions: [length, 1, 1], output: [length] }
    const flat = new Flat(seen)
    texture.delete()
    meter.add(texelBytes * length)
    return { texture: flat, length }
  }
  const uploads = new Map<number, IKernelRunShortcut>()
  const uploadOf = (length: number): IKernelRunShortcut => {
    if (length === 1) return reader
    const shortcut = uploads.get(length) ?? uploading(length)
    uploads.delete(length) // the order of the map is that of use
    uploads.set(length, shortcut)
    for (const [oldest, unused] of uploads) {
      if (uploads.size <= mostUploads) break
      uploads.delete(oldest)
      unused.destroy()
    }
    return shortcut
  }
  const upload = (values: Float32Array): Stored => hold(launch(uploadOf(values.length), [values]), values.length)
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
    const shortcut = createProgram(gpu, kernel, program, { operandType: "ArrayTexture(1)", fixed: true, more, declare })
    return {
      run: async ({ scalars = [] }, operands) => {
        const texture = await launch(shortcut, [...operands.map((operand) => operand.texture), ...scalars])
        assertMode(shortcut, "headlessgl", kernel)
        return hold(texture, sizeOf(program.extent))
      },
      destroy: () => shortcut.destroy()
    }
  }
  return {
    name,
    elementBytes: () => texelBytes,
    fixed: true,
    maxElements: () => maxElements,
    upload,
    zeros: (length) => upload(new Float32Array(length)),
    download: ({ texture }) => Float32Array.from(texture.toArray() as unknown as Float32Array),
    release: ({ texture, length }) => {
      meter.remove(texelBytes * length)
      texture.delete()
    },
    compile,
    usage: meter.usage,
    takeFailure: () => undefined,
    trim: () => {},
    close: async () => {
      for (const shortcut of uploads.values()) shortcut.destroy()
      await gpu.destroy()
    }
  }
}
