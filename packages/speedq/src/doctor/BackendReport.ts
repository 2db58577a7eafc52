/** What trying a backend found. */
import type { NativeDescription, ProductSpeed } from "@speedq/tensors"

export type BackendReport =
  | {
      readonly name: string
      readonly answers: true
      /** What really runs, for example "native (OpenBLAS 0.3.21, 2 threads)". */
      readonly what: string
      readonly speed: ProductSpeed
      readonly native?: NativeDescription
    }
  | { readonly name: string; readonly answers: false; readonly reason: string }
