/** What trying a backend found. */
import type { DeviceMemory, NativeDescription, ProductSpeed } from "@speedq/tensors"

/** Bytes are null where nothing tells them. */
type ReportedMemory = Omit<DeviceMemory, "bytes"> & { readonly bytes: number | null }

export type BackendReport =
  | {
      readonly name: string
      readonly answers: true
      /** What really runs, for example "native (OpenBLAS 0.3.21, 2 threads)". */
      readonly what: string
      readonly speed: ProductSpeed
      readonly native?: NativeDescription
      /** Of a device that tensors lie on: its memory, and the largest tensor that it binds. */
      readonly device?: { readonly memory: ReportedMemory; readonly largestBytes: number }
    }
  | { readonly name: string; readonly answers: false; readonly reason: string }
