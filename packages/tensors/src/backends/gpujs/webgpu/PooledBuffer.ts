/** A buffer of the device, as the pool hands it out and the recorder uses it. */
import type { DeviceBuffer } from "./bufferPool.ts"

export interface PooledBuffer extends DeviceBuffer {
  readonly gpu: GPUBuffer
  /** The batch of launches that last used it. */
  usedIn: number
}
