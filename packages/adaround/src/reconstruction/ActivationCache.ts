/**
 * Inputs and targets of a block over the calibration set, one sample after the other: in memory up to a budget, the
 * rest in one file. A tile of InternVL3 is 1025 x 1024 floats, 4.2 MB; a thousand of them do not fit a laptop twice.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { CacheFailed } from "../Errors.ts"

export interface ActivationCache {
  /** Bytes in memory and in the file, of the samples written so far. */
  readonly memoryBytes: () => number
  readonly fileBytes: () => number
  /** Floats of a sample that was written. */
  readonly sizeOf: (sample: number) => number
  /** What is written first decides how many floats the sample has, and where they are. */
  readonly write: (sample: number, values: Float32Array) => void
  /** Copies a sample that was written into `target`. */
  readonly read: (sample: number, target: Float32Array) => void
  /** Closes and deletes the file. */
  readonly dispose: () => void
}

export interface ActivationCacheOptions {
  /** Samples that it is for. */
  readonly count: number
  /** Bytes that may stay in memory. */
  readonly memoryBudget: number
  /** File for what does not fit; created when needed, deleted by `dispose`. */
  readonly spillFile: string
}

/** Where a sample is: in memory, or from a byte of the file on. */
type Place = { readonly size: number } & ({ readonly held: Float32Array } | { readonly position: number })

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/**
 * Makes an empty cache. Reading and writing raise CacheFailed when the file fails, and RangeError for samples that do not
 * exist, have another size, or were not written.
 */
export const makeActivationCache = (options: ActivationCacheOptions): ActivationCache => {
  const { count, memoryBudget, spillFile } = options
  const places = new Map<number, Place>()
  const used = { memory: 0, file: 0 }
  const attempt = <T>(operation: "open" | "read" | "write", work: () => T): T => {
    try {
      return work()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CacheFailed({ file: spillFile, operation, reason, bytes: used.file })
    }
  }
  let descriptor: number | undefined
  const file = (): number => {
    descriptor ??= attempt("open", () => openSync(spillFile, "w+"))
    return descriptor
  }
  /** In memory while there is room; once a sample went to the file, those after it do as well. */
  const placeFor = (size: number): Place => {
    const bytes = 4 * size
    if (used.file === 0 && used.memory + bytes <= memoryBudget) {
      used.memory += bytes
      return { size, held: new Float32Array(size) }
    }
    used.file += bytes
    return { size, position: used.file - bytes }
  }
  const placeOf = (sample: number): Place => {
    const place = places.get(sample)
    if (place === undefined) throw new RangeError(`sample ${sample} was not written, the cache is for ${count}`)
    return place
  }
  const checkSize = (sample: number, { size }: Place, length: number): void => {
    if (length !== size) throw new RangeError(`sample ${sample} of ${length} floats, it was written with ${size}`)
  }
  return {
    memoryBytes: () => used.memory,
    fileBytes: () => used.file,
    sizeOf: (sample) => placeOf(sample).size,
    write: (sample, values) => {
      if (!Number.isInteger(sample) || sample < 0 || sample >= count)
        throw new RangeError(`sample ${sample}, the cache is for ${count}`)
      const place = places.get(sample) ?? placeFor(values.length)
      places.set(sample, place)
      checkSize(sample, place, values.length)
      if ("held" in place) return place.held.set(values)
      const bytes = bytesOf(values)
      attempt("write", () => {
        for (let done = 0; done < bytes.length; ) {
          done += writeSync(file(), bytes, done, bytes.length - done, place.position + done)
        }
      })
    },
    read: (sample, target) => {
      const place = placeOf(sample)
      checkSize(sample, place, target.length)
      if ("held" in place) return target.set(place.held)
      const bytes = bytesOf(target)
      attempt("read", () => {
        for (let done = 0; done < bytes.length; ) {
          const read = readSync(file(), bytes, done, bytes.length - done, place.position + done)
          if (read === 0) throw new Error(`it ends before sample ${sample}`)
          done += read
        }
      })
    },
    dispose: () => {
      if (descriptor === undefined) return
      closeSync(descriptor)
      rmSync(spillFile, { force: true })
      descriptor = undefined
    }
  }
}
