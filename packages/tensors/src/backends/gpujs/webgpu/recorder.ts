/**
 * Records launches into passes of many: a submit for each would cost the host ten times as much. The parameters of all launches
 * of a batch lie in one uniform buffer, each at an offset of its own, and are written once a batch.
 */

import type { BoundLaunch } from "./bindGroups.ts"
import type { PooledBuffer } from "./PooledBuffer.ts"

/** Offsets into a uniform buffer are multiples of this on every device. */
const grain = 256
const uniformUsage = 0x40 | 0x08 // UNIFORM, COPY_DST

/** Where the parameters of the next launch are written, from word `at`. */
interface Parameters {
  readonly unsigned: Uint32Array
  readonly whole: Int32Array
  readonly real: Float32Array
  at: number
}

interface RecorderOptions {
  /** Launches of a batch; 1 tells exactly which kernel an error comes from. */
  readonly launches: number
  /** Told of a batch that the device refused, with the kernels in it. */
  readonly refused: (kernels: readonly string[], message: string) => void
}

export type Recorder = ReturnType<typeof makeRecorder>

export const makeRecorder = (device: GPUDevice, { launches: most, refused }: RecorderOptions) => {
  const uniforms = device.createBuffer({ size: 2 * grain * most, usage: uniformUsage })
  const written = new ArrayBuffer(2 * grain * most)
  const parameters: Parameters = {
    unsigned: new Uint32Array(written),
    whole: new Int32Array(written),
    real: new Float32Array(written),
    at: 0
  }
  /** Set in the pass. */
  let set: GPUComputePipeline | undefined
  let encoder: GPUCommandEncoder | undefined
  let pass: GPUComputePassEncoder | undefined
  let names: string[] = []
  let batch = 1
  let settled: Promise<void> = Promise.resolve()

  const encoding = (): GPUCommandEncoder => {
    encoder ??= device.createCommandEncoder()
    return encoder
  }
  const endPass = () => {
    pass?.end()
    pass = undefined
    set = undefined
  }
  const use = (buffer: PooledBuffer) => {
    buffer.usedIn = batch
  }
  /** Hands everything recorded to the device. */
  const flush = (): void => {
    if (encoder === undefined) return
    const kernels = names
    endPass()
    device.pushErrorScope("validation")
    if (parameters.at > 0) device.queue.writeBuffer(uniforms, 0, written, 0, 4 * parameters.at)
    device.queue.submit([encoder.finish()])
    const before = settled
    const check = (error: GPUError | null) => {
      if (error !== null) refused([...new Set(kernels)], error.message)
      return before
    }
    settled = device.popErrorScope().then(check, () => before)
    encoder = undefined
    names = []
    parameters.at = 0
    batch++
  }
  return {
    uniforms,
    flush,
    /** Room for the parameters of a launch, which has to follow. */
    parametersOf: (bytes: number): Parameters => {
      if (4 * parameters.at + bytes > written.byteLength) flush()
      return parameters
    },
    launch: (
      { name, pipeline, group, parameterBytes, buffers }: BoundLaunch,
      [x, y, z]: readonly [number, number, number]
    ): void => {
      pass ??= encoding().beginComputePass()
      if (pipeline !== set) pass.setPipeline(pipeline)
      set = pipeline
      pass.setBindGroup(0, group, [4 * parameters.at])
      pass.dispatchWorkgroups(x, y, z)
      for (const buffer of buffers) buffer.usedIn = batch
      parameters.at += (grain / 4) * Math.ceil(parameterBytes / grain)
      if (names.push(name) >= most) flush()
    },
    /** Copies the first bytes of a buffer as they are after everything recorded so far. */
    copy: (from: PooledBuffer, to: GPUBuffer, at: number, bytes: number): void => {
      endPass()
      encoding().copyBufferToBuffer(from.gpu, 0, to, at, bytes)
      use(from)
    },
    clear: (buffer: PooledBuffer): void => {
      endPass()
      encoding().clearBuffer(buffer.gpu)
      use(buffer)
    },
    /** Before the host writes or destroys a buffer: what is recorded about it goes to the device first. */
    letGo: (buffer: PooledBuffer): void => {
      if (buffer.usedIn === batch) flush()
    },
    /** Whether the device has looked at everything flushed so far. */
    settled: (): Promise<void> => settled,
    close: (): void => uniforms.destroy()
  }
}
