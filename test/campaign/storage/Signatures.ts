/** Tells images of a disk apart by their files. */
import type { Image } from "./Disk.ts"

export class Signatures {
  readonly #numbers = new WeakMap<Uint8Array, number>()
  #next = 0

  /** Bytes are told apart by where they are in memory: those of a flushed file are the same ones in every image. */
  #numberOf(bytes: Uint8Array): number {
    const known = this.#numbers.get(bytes) ?? this.#next++
    this.#numbers.set(bytes, known)
    return known
  }

  /** A text that is the same for images with the same files. */
  of(image: Image): string {
    return [...image]
      .map(([path, bytes]) => `${path} ${this.#numberOf(bytes)}`)
      .sort()
      .join("\n")
  }
}
