/** Where a run's tensors lie, if that is not the memory of its process: on a device with a memory of its own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

export interface TensorMemory {
  /** What computes, for example "gpujs:webgpu (nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54)". */
  readonly device: string
  /** Bytes that tensors may take there; undefined where that is unknown. */
  readonly bytes: number | undefined
  /** What says so, for example "nvidia-smi"; why nothing does, where it is unknown. */
  readonly source: string
  /** Whether the device uses the host's memory: then both together must fit there. */
  readonly shared: boolean
  /** Bytes of the largest tensor that can be bound. */
  readonly largestBytes: number
  /** What tensors take beyond their own bytes, of these: sizes of buffers are rounded up. */
  readonly overhead: number
}

/** Asked before any work, by whoever owns the backend; undefined where tensors are in the memory of the process. */
export const TensorMemory = Context.Reference<Effect.Effect<TensorMemory | undefined>>(
  "@speedq/pipeline/TensorMemory",
  { defaultValue: () => Effect.succeed(undefined) }
)

/** Whether tensors have a memory of their own. */
export const isApart = (memory: TensorMemory | undefined): memory is TensorMemory =>
  memory !== undefined && !memory.shared
