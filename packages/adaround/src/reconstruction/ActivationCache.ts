/**
 * Inputs and targets of a block over the calibration set, one sample after the other: in memory up to a budget, the
 * rest in one file. A tile of InternVL3 is 1025 x 1024 floats, 4.2 MB; a thousand of them do not fit a laptop twice.
 */
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { CacheFailed } from "../Errors.ts"

export interface ActivationCache {
  /** Samples held. */
  readonly count: number
  /** Floats of one sample. */
  readonly sampleSize: number
  /** Bytes in memory and in the file. */
  readonly memoryBytes: number
  readonly fileBytes: number
  readonly write: (sample: number, values: Float32Array) => void
  /** Copies a sample that was written into `target`. */
  readonly read: (sample: number, target: Float32Array) => void
  /** Closes and deletes the file. */
  readonly dispose: () => void
}

export interface ActivationCacheOptions {
  readonly count: number
  readonly sampleSize: number
  /** Bytes that may stay in memory. */
  readonly memoryBudget: number
  /** File for what does not fit; created when needed, deleted by `dispose`. */
  readonly spillFile: string
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/**
 * Makes an empty cache. Reading and writing raise CacheFailed when the file fails, and RangeError for samples that do not
 * exist, have another size, or were not written.
 */
export const makeActivationCache = (options: ActivationCacheOptions): ActivationCache => {
  const { count, sampleSize, memoryBudget, spillFile } = options
  const sampleBytes = 4 * sampleSize
  const inMemory = Math.min(count, Math.floor(memoryBudget / Math.max(1, sampleBytes)))
  const memory = Array.from({ length: inMemory }, () => new Float32Array(sampleSize))
  const attempt = <T>(operation: "open" | "read" | "write", work: () => T): T => {
    try {
      return work()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CacheFailed({ file: spillFile, operation, reason, bytes: (count - inMemory) * sampleBytes })
    }
  }
  const written = new Uint8Array(count)
  let descriptor: number | undefined
  const file = (): number => {
    descriptor ??= attempt("open", () => openSync(spillFile, "w+"))
    return descriptor
  }
  const checkSample = (sample: number, length: number): void => {
    if (!Number.isInteger(sample) || sample < 0 || sample >= count || length !== sampleSize) {
      throw new RangeError(`sample ${sample} of ${length} floats, the cache has ${count} of ${sampleSize}`)
    }
  }
  return {
    count,
    sampleSize,
    memoryBytes: inMemory * sampleBytes,
    fileBytes: (count - inMemory) * sampleBytes,
    write: (sample, values) => {
      checkSample(sample, values.length)
      written[sample] = 1
      const held = memory[sample]
      if (held) held.set(values)
      else {
        const bytes = bytesOf(values)
        const position = (sample - inMemory) * sampleBytes
        attempt("write", () => {
          for (let done = 0; done < bytes.length; ) {
            done += writeSync(file(), bytes, done, bytes.length - done, position + done)
          }
        })
      }
    },
    read: (sample, target) => {
      checkSample(sample, target.length)
      if (written[sample] === 0) throw new RangeError(`sample ${sample} was not written`)
      const held = memory[sample]
      if (held) target.set(held)
      else {
        const bytes = bytesOf(target)
        const position = (sample - inMemory) * sampleBytes
        attempt("read", () => {
          for (let done = 0; done < bytes.length; ) {
            const read = readSync(file(), bytes, done, bytes.length - done, position + done)
            if (read === 0) throw new Error(`it ends before sample ${sample}`)
            done += read
          }
        })
      }
    },
    dispose: () => {
      if (descriptor === undefined) return
      closeSync(descriptor)
      rmSync(spillFile, { force: true })
      descriptor = undefined
    }
  }
}
