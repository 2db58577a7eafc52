/**
 * The words that threads share. A task is cut into parts; every thread takes the next part that is left. Which thread
 * computes a part is chance, what the part is and where its results go is not, so results do not depend on it.
 * A task may be looked at only by threads that counted themselves in while it was open, and changes only when nobody is in.
 */

export const word = { epoch: 0, open: 1, next: 2, parts: 3, inside: 4, stop: 5, failed: 6, posted: 7 } as const

/**
 * Looks at a word before a thread goes to sleep: a third of a millisecond. Waking a thread takes some tens of microseconds
 * of both; the products of a token follow each other within that time, and would all wake it.
 */
const looks = 40_000

const headBytes = 64
const messageBytes = 4096
const controlBytes = 2 ** 17

export class Control {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array
  private readonly message: Uint8Array
  /** The task that is open, as numbers. */
  readonly task: Float64Array

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(controlBytes)) {
    this.buffer = buffer
    this.words = new Int32Array(buffer, 0, headBytes / 4)
    this.message = new Uint8Array(buffer, headBytes, messageBytes)
    this.task = new Float64Array(buffer, headBytes + messageBytes)
  }

  /** Waits until the word at `index` is no longer `value`: awake for a moment, then asleep. */
  awaitChange(index: number, value: number): void {
    for (let look = 0; look < looks; look++) if (Atomics.load(this.words, index) !== value) return
    Atomics.wait(this.words, index, value)
  }

  /** Readies the words for a task of `parts` parts. */
  reset(parts: number): void {
    this.words[word.parts] = parts
    this.words[word.next] = 0
    this.words[word.failed] = 0
  }

  /** Runs parts until none is left or one has failed. The first failure is written down for the caller. */
  drain(execute: (part: number) => void): void {
    const { words } = this
    const parts = Atomics.load(words, word.parts)
    for (let part = Atomics.add(words, word.next, 1); part < parts; part = Atomics.add(words, word.next, 1)) {
      if (Atomics.load(words, word.failed) !== 0) return
      try {
        execute(part)
      } catch (error) {
        this.fail(part, error)
      }
    }
  }

  fail(part: number, error: unknown): void {
    if (Atomics.compareExchange(this.words, word.failed, 0, 1) !== 0) return
    const text = `part ${part}: ${error instanceof Error ? error.message : String(error)}`
    const bytes = new TextEncoder().encode(text).subarray(0, messageBytes)
    this.message.fill(0)
    this.message.set(bytes)
    Atomics.store(this.words, word.failed, 2)
  }

  /** What went wrong in the task that has just ended. */
  failure(): string | undefined {
    if (Atomics.load(this.words, word.failed) === 0) return undefined
    const end = this.message.indexOf(0)
    return new TextDecoder().decode(Uint8Array.from(this.message.subarray(0, end)))
  }
}
