/**
 * The frames and blocks of a Zstandard file (RFC 8878, section 3.1), followed without decompressing anything: what a frame asks for is
 * known before a decompressor makes room for it.
 */
import { CompressedInvalid } from "../Errors.ts"

/**
 * The largest window, of which a decompressor keeps that many bytes in memory: 128 MiB, as `zstd` itself takes without an option.
 * Its highest level asks for that much; frames may ask for terabytes.
 */
const mostWindow = 2 ** 27

const frameMagic = 0xfd2fb528
/** Sixteen magic numbers, of frames that hold no data. */
const isSkippable = (magic: number): boolean => magic >>> 4 === 0x184d2a5

/** Little-endian, of any number of bytes: above 2^53 it is not exact, which is far above every limit. */
const numberAt = (bytes: readonly number[], at: number, length: number): number =>
  bytes.slice(at, at + length).reduceRight((value, byte) => 256 * value + byte, 0)

/** What the header of a frame says, once all of it is there. */
const headerOf = (bytes: readonly number[]): { readonly window: number; readonly hasChecksum: boolean } | undefined => {
  const descriptor = bytes[4]
  if (descriptor === undefined) return undefined
  const isSingle = (descriptor & 32) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 3]!
  const sizeFlag = descriptor >> 6
  const sizeLength = sizeFlag === 0 ? (isSingle ? 1 : 0) : 2 ** sizeFlag
  const sizeAt = 5 + (isSingle ? 0 : 1) + dictionary
  if (bytes.length < sizeAt + sizeLength) return undefined
  const hasChecksum = (descriptor & 4) !== 0
  // The content of a single segment is its own window.
  if (isSingle) return { window: numberAt(bytes, sizeAt, sizeLength) + (sizeLength === 2 ? 256 : 0), hasChecksum }
  const base = 2 ** (10 + (bytes[5]! >> 3))
  return { window: base + (base / 8) * (bytes[5]! & 7), hasChecksum }
}

export class ZstandardFrames {
  readonly #file: string
  /** Bytes of a header of which not all is there yet. */
  #held: number[] = []
  /** Bytes of a block, a checksum or a skippable frame that are still to come. */
  #rest = 0
  #frame: ReturnType<typeof headerOf>
  /** Whether what comes next begins a frame. */
  #between = true
  /** Windows that were made or moved so far, in bytes: a decompressor does so for each frame and each block. */
  moved = 0

  constructor(file: string) {
    this.#file = file
  }

  /** The piece in parts of which none goes on behind the end of a block. Throws CompressedInvalid. */
  *parts(piece: Uint8Array): Generator<Uint8Array> {
    let from = 0
    for (let at = 0; at < piece.length; ) {
      if (this.#rest === 0) this.#add(piece[at++]!)
      const skipped = Math.min(this.#rest, piece.length - at)
      at += skipped
      this.#rest -= skipped
      if (this.#rest > 0 || this.#held.length > 0) continue
      yield piece.subarray(from, at)
      from = at
    }
    if (from < piece.length) yield piece.subarray(from)
  }

  /** The file has ended. Throws CompressedInvalid where that is in the middle of a frame. */
  end(): void {
    if (!this.#between || this.#held.length > 0 || this.#rest > 0) this.#refuse("it ends in the middle of a frame")
  }

  #refuse(reason: string): never {
    throw new CompressedInvalid({ file: this.#file, reason })
  }

  /** Adds a byte of a header. */
  #add(byte: number): void {
    this.#held.push(byte)
    if (this.#between) this.#begin()
    else if (this.#held.length === 3) this.#beginBlock()
  }

  #begin(): void {
    if (this.#held.length < 4) return
    const magic = numberAt(this.#held, 0, 4)
    if (isSkippable(magic)) {
      if (this.#held.length < 8) return
      this.#rest = numberAt(this.#held, 4, 4)
      this.#held = []
      return
    }
    if (magic !== frameMagic) this.#refuse("it does not begin as Zstandard files do")
    this.#frame = headerOf(this.#held)
    if (this.#frame === undefined) return
    const { window } = this.#frame
    if (window > mostWindow) {
      this.#refuse(`a frame asks for a window of ${window} bytes, more than the ${mostWindow} that are given`)
    }
    this.moved += window
    this.#between = false
    this.#held = []
  }

  #beginBlock(): void {
    const header = numberAt(this.#held, 0, 3)
    const isLast = (header & 1) !== 0
    const isRepeated = ((header >> 1) & 3) === 1
    const { window, hasChecksum } = this.#frame!
    this.moved += window
    this.#rest = (isRepeated ? 1 : header >> 3) + (isLast && hasChecksum ? 4 : 0)
    this.#between = isLast
    this.#held = []
  }
}
