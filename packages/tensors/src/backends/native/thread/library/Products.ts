/** Products of system libraries. Every thread calls them on a slice of its own, so the libraries run no threads themselves. */
import type { LibraryHandle } from "koffi"

/** C = op(A) op(B) + beta C, row-major, on addresses; C is f32, strides are in elements. */
export type Gemm = (
  m: number,
  n: number,
  k: number,
  a: number,
  lda: number,
  transposeA: boolean,
  b: number,
  ldb: number,
  transposeB: boolean,
  beta: number,
  c: number,
  ldc: number
) => void

export interface Products {
  readonly addressOf: (buffer: SharedArrayBuffer) => number
  /** f32 times f32. */
  readonly f32: Gemm | undefined
  /** bf16 times bf16, summed in f32; only where three of them take less time than one of f32. */
  readonly bf16: Gemm | undefined
}

/** A library that was loaded. */
export interface Library {
  /** Such as "OpenBLAS 0.3.21". */
  readonly name: string
  /** What the library says of itself: version, processor, build. */
  readonly configuration: string
  readonly gemm: Gemm
}

/** Takes a library's interface into use. Throws where the library has another one. */
export type Interface = (library: LibraryHandle, path: string) => Library

/** Calls a function of the library; undefined where it has none of that name. */
export const ask = (library: LibraryHandle, signature: string, ...parameters: number[]): unknown => {
  try {
    return library.func(signature)(...parameters)
  } catch {
    return undefined
  }
}
