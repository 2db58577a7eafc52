/** Memory and programs of one GPU.js mode. `S` is the mode's own storage of f32 elements. */
import type { Hardware, Usage } from "../../core/Backend.ts"
import type { DType } from "../../core/DType.ts"
import type { GpujsProgram } from "./GpujsBody.ts"
import type { Matrices } from "./webgpu/matrices.ts"
import type { PackedKind } from "./webgpu/packing.ts"
import type { WgslLaunch } from "./webgpu/WebgpuBody.ts"

/** By their names; those of webgpu with matrices of f16 are never taken unless named. */
export const gpujsModes = ["webgpu", "webgpu+f16", "webgpu+f16x3", "headlessgl", "webasm", "cpu"] as const
export type GpujsMode = (typeof gpujsModes)[number]

/** A program, compiled on its first run. */
export interface CompiledProgram<S> {
  /**
   * `program` is the one it was compiled from, or one that differs in scalars, and in extents and sizes unless they are
   * `fixed`. Gives new storage, or the operand of the output's name where that was updated in place; later where it has to be
   * compiled first, or where the mode always answers later. Raises UnsupportedKernel when it would run elsewhere than in its mode.
   */
  readonly run: (program: GpujsProgram, operands: readonly S[]) => S | Promise<S>
  readonly destroy: () => void
}

export interface Device<S> {
  /** The mode and the machine that runs it, for example "gpujs:webgpu (nvidia, ...)". */
  readonly name: string
  /** What tensors lie on, where that is not the memory of the process. */
  readonly hardware?: Hardware
  /** What one element of a tensor takes. */
  readonly elementBytes: (dtype: DType) => number
  /** The most elements one tensor can have. */
  readonly maxElements: (dtype: DType) => number
  /** Whether extents and sizes are compiled in like constants; else they are arguments. */
  readonly fixed: boolean
  readonly upload: (values: Float32Array) => S
  readonly zeros: (length: number, dtype?: DType) => S
  /** The elements as they are now, whatever runs before they are there. */
  readonly download: (stored: S) => Float32Array | Promise<Float32Array>
  /** Where tensors of 8 and 16 bits lie packed, as their bytes are; absent where every element is an f32. Programs read them as they are. */
  readonly packed?: {
    /** `bytes` are padded to whole words. */
    readonly upload: (kind: PackedKind, length: number, bytes: Uint8Array) => S
    /** The bytes, padded to whole words. */
    readonly download: (stored: S) => Promise<Uint8Array>
    /** The f32 numbers that a program of `kernel` has computed as storage of that kind; `values` is released. */
    readonly pack: (kernel: string, kind: PackedKind, values: S) => S | Promise<S>
  }
  readonly release: (stored: S) => void
  /** `kernel` is named in errors. */
  readonly compile: (kernel: string, program: GpujsProgram) => CompiledProgram<S>
  /** Where kernels' own WGSL runs; absent where they run as GPU.js programs alone. */
  readonly wgsl?: {
    /** Where products are computed by matrices of f16. */
    readonly matrices?: Matrices | undefined
    /** Storage whose contents are undefined. */
    readonly take: (length: number, dtype: DType) => S
    /** Runs a launch over storage for each of its names; later where it has to be compiled first. Raises UnsupportedKernel. */
    readonly run: (
      kernel: string,
      launch: WgslLaunch,
      reads: readonly S[],
      writes: readonly S[]
    ) => void | Promise<void>
  }
  /** Storage in use, intermediates included. */
  readonly usage: () => Usage
  /** Raises DeviceLost once the device is gone; absent where none can go. */
  readonly assertThere?: () => void
  /** The error of work that failed after its call had returned, once. */
  readonly takeFailure: () => Error | undefined
  /** Gives back what is kept for the next tensors. */
  readonly trim: () => void
  readonly close: () => Promise<void>
}

/** Counts storage for `Device.usage`. */
export const makeMeter = () => {
  let buffers = 0
  let bytes = 0
  let peakBytes = 0
  return {
    add: (amount: number) => {
      buffers++
      bytes += amount
      peakBytes = Math.max(peakBytes, bytes)
    },
    remove: (amount: number) => {
      buffers--
      bytes -= amount
    },
    usage: (): Usage => ({ buffers, bytes, peakBytes })
  }
}
