/** The contract of a compute backend: memory and kernels, nothing about models. */
import type { Arithmetic } from "./Arithmetic.ts"
import type { AnyComputation } from "./Computation.ts"
import type { HostArray } from "./DType.ts"
import type { Handle, KernelCall, TensorSpec } from "./Operand.ts"

export interface Usage {
  readonly buffers: number
  readonly bytes: number
  readonly peakBytes: number
}

/** Memory that tensors may take on a device. */
export interface DeviceMemory {
  /** Undefined where it is unknown. */
  readonly bytes: number | undefined
  /** What says so, for example "nvidia-smi"; why nothing does, where it is unknown. */
  readonly source: string
  /** Whether it is the host's own memory, of which the process takes its part. */
  readonly shared: boolean
}

/** The device of a backend whose tensors are not in the memory of the process. */
export interface Hardware {
  /** Its class in words, for example "nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54": on one class the same work gives the same bits. */
  readonly adapter: string
  /** Bytes of the largest tensor. */
  readonly largestBytes: number
  /** What tensors take beyond their own bytes, of these. */
  readonly overhead: number
  /** Asks the driver, once. From then on memory that no tensor uses is given back before more is taken than there is. */
  readonly memory: () => Promise<DeviceMemory>
}

/**
 * Runs kernels in the order of the calls. `run` returns at once or after the work, as the backend likes;
 * `read` waits for everything before it. Two runs of one program give the same bits.
 */
export interface Backend {
  /** What really runs, for example "native (OpenBLAS 0.3.21, 2 threads)" or "gpujs:webasm". */
  readonly name: string
  readonly kind: "native" | "gpujs" | "reference"
  /** Where tensors lie on a device; absent where they are in the memory of the process. */
  readonly hardware?: Hardware
  /** How it multiplies. */
  readonly arithmetic: Arithmetic
  /**
   * The same device, memory and threads with products in another arithmetic: what runs on tensors of one runs in its arithmetic,
   * gradients too, and tensors of the other are foreign to it. Closing one closes all. Raises BackendUnavailable.
   */
  readonly withArithmetic: (arithmetic: Arithmetic) => Backend
  /** Reserves storage. Contents are undefined unless `zero`. Raises OutOfMemory. */
  readonly allocate: (spec: TensorSpec, options?: { readonly zero?: boolean }) => Handle
  /** Writes the tensor's bytes: `write` gets a buffer of exactly `handle.bytes`, the storage itself where that is possible. */
  readonly fill: (handle: Handle, write: (bytes: Uint8Array) => void) => void
  /** The stored bytes once all earlier calls are done: a view of the storage where possible (valid until the next call), a copy elsewhere. */
  readonly read: (handle: Handle) => Promise<Uint8Array>
  readonly release: (handle: Handle) => void
  readonly run: (kernel: AnyComputation, call: KernelCall) => void
  /**
   * Runs what `calls` asks for, to the same bits, with as few tasks as may be: calls of kernels in it that do not depend on each other
   * share one. Absent where that brings nothing.
   */
  readonly together?: <T>(calls: () => T) => T
  readonly usage: () => Usage
  /** Gives memory that no tensor uses back to the system, as far as it is kept for the next ones: after a stage, not a step. */
  readonly trim: () => void
  /** Ends threads and devices and frees all memory. */
  readonly close: () => Promise<void>
}

/** Data for a new tensor: numbers for f32 and i32, raw patterns for the rest. */
export type Source = HostArray | readonly number[]
