/** What a campaign counts, and where it keeps the input of what went wrong. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

/** The parts of a campaign, by the flag that says how many. */
export const parts = ["kills", "crashes", "faults", "mutations", "cluster"] as const
export type Part = (typeof parts)[number]

/**
 * What may go wrong: a saved step or a result is `lost` or has other bytes; something `hangs` for more than five seconds; an error
 * has no type, so that its user gets a stack (`stacks`); a process takes more than 1 GiB (`overMemory`).
 */
export const failures = ["lost", "hangs", "stacks", "overMemory"] as const
export type Failure = (typeof failures)[number]

/** Cases of each part that were run, and failures of each kind. */
export type Summary = { readonly [name in Part | Failure]: number }

/** Five seconds of the processor, a minute of waiting, 1 GiB. */
export const limits = { milliseconds: 5000, patience: 60_000, bytes: 2 ** 30 }

/** Of failures of one kind so many are kept. */
const keptOfAKind = 3

/** Counts failures by their words; those that differ in numbers alone are of one kind. */
export class Kinds {
  readonly #seen = new Map<string, number>()

  /** Counts one more, and tells whether it is among the first few of its kind. */
  isRare(what: string): boolean {
    const kind = what.replace(/[0-9a-f-]*\d[0-9a-f-]*/g, "#")
    const seen = (this.#seen.get(kind) ?? 0) + 1
    this.#seen.set(kind, seen)
    return seen <= keptOfAKind
  }

  get counts(): readonly (readonly [kind: string, count: number])[] {
    return [...this.#seen].sort(([, a], [, b]) => b - a)
  }
}

/** The numbers of `count` cases. */
export function* casesFrom(from: number, count: number): Generator<number> {
  for (let at = from; at < from + count; at++) yield at
}

/** Files in memory where the machine has such a place: a campaign writes far more than it keeps. */
const scratchParent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir()

export class Campaign {
  readonly seed: number
  /** Where inputs that failed are kept. */
  readonly folder: string
  /** A directory for what the campaign itself writes; `close` removes it. */
  readonly scratch = mkdtempSync(join(scratchParent, "speedq-campaign-"))
  readonly #counts: { [name in Part | Failure]: number }
  readonly #kinds = new Kinds()
  readonly #say: (line: string) => void
  #stopped = false
  readonly #stopping = new Set<() => void>()

  constructor(options: { readonly seed: number; readonly folder: string; readonly say: (line: string) => void }) {
    this.seed = options.seed
    this.folder = options.folder
    this.#say = options.say
    const none = { kills: 0, crashes: 0, faults: 0, mutations: 0, cluster: 0 }
    this.#counts = { ...none, lost: 0, hangs: 0, stacks: 0, overMemory: 0 }
  }

  get summary(): Summary {
    return { ...this.#counts }
  }

  /** Whether the campaign ends before it has run all cases: nothing that happens after that is a failure. */
  get isStopped(): boolean {
    return this.#stopped
  }

  stop(): void {
    this.#stopped = true
    for (const end of this.#stopping) end()
  }

  /** What ends a case that is not waited for when the campaign is stopped; gives what forgets it. */
  onStop(end: () => void): () => void {
    this.#stopping.add(end)
    return () => this.#stopping.delete(end)
  }

  say(line: string): void {
    this.#say(line)
  }

  /** So many cases of a part were run. */
  count(part: Part, cases = 1): void {
    this.#counts[part] += cases
  }

  /**
   * Case `at` of a part failed: `what`, and more `details`. Of failures that differ in numbers alone, the first few are told and kept,
   * with their input by file name and the command that runs them again.
   */
  failed(
    failure: Failure,
    part: Part,
    at: number,
    what: string,
    details = "",
    input: Iterable<readonly [name: string, content: Uint8Array | string]> = []
  ): void {
    if (this.#stopped) return
    this.#counts[failure]++
    if (!this.#kinds.isRare(`${failure}: ${part}: ${what}`)) return
    const folder = join(this.folder, `${part}-${this.seed}-${at}`)
    mkdirSync(folder, { recursive: true })
    for (const [name, content] of input) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    const again = `npm run campaign -- --${part} 1 --from ${at} --seed ${this.seed}`
    writeFileSync(join(folder, "what.txt"), `${failure}: ${what}\n${details}\n\n${again}\n`)
    this.#say(`${failure}: ${part} ${at}: ${what}\n  ${details.split("\n")[0]}\n  kept in ${folder}; again: ${again}`)
  }

  /** The kinds of failures, the most frequent first. */
  get kinds(): readonly (readonly [kind: string, count: number])[] {
    return this.#kinds.counts
  }

  /** Runs cases one after the other, until the campaign is stopped, and says, every ten seconds, how many a second. */
  async each(part: Part, cases: Iterable<number>, count: number, run: (at: number) => Promise<void>): Promise<void> {
    const began = performance.now()
    let said = began
    let done = 0
    for (const at of cases) {
      if (this.#stopped) return
      await run(at)
      // The case may have been stopped, too.
      if (this.#stopped) return
      this.count(part)
      done++
      const now = performance.now()
      if (now - said < 10_000 && done < count) continue
      said = now
      this.progress(part, done, count, now - began)
    }
  }

  progress(part: Part, done: number, count: number, milliseconds: number): void {
    this.#say(`${part}: ${done} of ${count}, ${((1000 * done) / milliseconds).toPrecision(3)} a second`)
  }

  close(): void {
    rmSync(this.scratch, { recursive: true, force: true })
  }
}
