/**
 * Reads from the device, any number at once: launches go on meanwhile. Small ones that are asked for together, such as the loss,
 * the norm and the parts of a step, come in one piece.
 */
import type { PooledBuffer } from "./PooledBuffer.ts"
import type { Recorder } from "./recorder.ts"
import type { DeviceWatch } from "./watchDevice.ts"

const stagingUsage = 0x01 | 0x08 // MAP_READ, COPY_DST
const forReading = 0x01 // MAP_READ

/** Bytes of the buffer that small reads share. */
const sharedBytes = 4096
/** Shared buffers that are kept. */
const mostKept = 4

/** Reads that share a buffer, from its beginning. */
interface Piece {
  readonly staging: GPUBuffer
  used: number
}

/** Reads reject with DeviceLost as soon as the device is gone. */
export const makeReadBack = (device: GPUDevice, recorder: Recorder, orLost: DeviceWatch["orLost"]) => {
  const kept: GPUBuffer[] = []
  let open: { readonly piece: Piece; readonly bytes: Promise<ArrayBuffer> } | undefined

  const giveBack = (staging: GPUBuffer) => {
    if (staging.size === sharedBytes && kept.length < mostKept) kept.push(staging)
    else staging.destroy()
  }
  const finish = async (piece: Piece): Promise<ArrayBuffer> => {
    await Promise.resolve() // what else this turn of the program asks for
    if (open?.piece === piece) open = undefined
    const { staging, used } = piece
    recorder.flush()
    try {
      await orLost(staging.mapAsync(forReading, 0, used))
      const bytes = staging.getMappedRange(0, used).slice(0)
      staging.unmap()
      giveBack(staging)
      return bytes
    } catch (error) {
      staging.destroy()
      throw error
    }
  }
  const begin = (bytes: number) => {
    const size = Math.max(sharedBytes, bytes)
    const staging =
      (size === sharedBytes ? kept.pop() : undefined) ?? device.createBuffer({ size, usage: stagingUsage })
    const piece: Piece = { staging, used: 0 }
    return { piece, bytes: finish(piece) }
  }
  return {
    /** The first bytes, whole words of them, as they are after everything recorded so far. */
    read: (buffer: PooledBuffer, bytes: number): Promise<Uint8Array> => {
      if (open === undefined || open.piece.used + bytes > open.piece.staging.size) open = begin(bytes)
      const { piece, bytes: all } = open
      const at = piece.used
      piece.used += bytes
      recorder.copy(buffer, piece.staging, at, bytes)
      return all.then((whole) => new Uint8Array(whole, at, bytes))
    },
    close: (): void => {
      for (const staging of kept) staging.destroy()
    }
  }
}
