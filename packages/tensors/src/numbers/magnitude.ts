/**
 * The largest magnitude among floats: one pass tells whether all of them are finite, or within a limit. It runs as WebAssembly
 * on a room of 1 MiB that stays in the processor's cache: to read a file into it, look at it and copy it on takes no longer
 * than to read the file where it belongs.
 */
import { readMagnitude } from "#system/wasmFiles"

/** The part of the WebAssembly API that is used here: the type library of Node has none. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object
  ) => {
    readonly exports: {
      readonly memory: { readonly buffer: ArrayBuffer }
      readonly largest16: (start: number, bytes: number) => number
      readonly largest32: (start: number, bytes: number) => number
    }
  }
}

export interface MagnitudeRoom {
  /** Where the floats are put, from its beginning on. */
  readonly bytes: Uint8Array
  /**
   * Bits of the largest magnitude among the floats in the first `count` bytes, without their sign. Patterns are in the order of
   * what they stand for: numbers, infinity, NaN.
   */
  readonly largest: (count: number, elementBytes: 2 | 4) => number
}

/** Bytes that the module looks at together, and where its own memory ends. */
const stride = 64
const ownBytes = 65536

const load = (): MagnitudeRoom => {
  const { memory, largest16, largest32 } = new WebAssembly.Instance(new WebAssembly.Module(readMagnitude())).exports
  const bytes = new Uint8Array(memory.buffer, ownBytes)
  return {
    bytes,
    largest: (count, elementBytes) => {
      const whole = Math.ceil(count / stride) * stride
      bytes.fill(0, count, whole)
      return (elementBytes === 2 ? largest16 : largest32)(ownBytes, whole)
    }
  }
}

let room: MagnitudeRoom | undefined

/** The room, made when it is first asked for. What is in it may be overwritten by the next caller. */
export const magnitudeRoom = (): MagnitudeRoom => {
  room ??= load()
  return room
}
