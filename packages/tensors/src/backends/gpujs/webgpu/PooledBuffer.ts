import type { DeviceBuffer } from "./bufferPool.ts"
import type { RecordedBuffer } from "./recorder.ts"

/** A buffer of the device, as the pool hands it out and the recorder uses it. */
export type PooledBuffer = DeviceBuffer & RecordedBuffer
