/** The cases of the mutations by number: first the bombs, then each kind of input in turn with one file changed. */
import { mkdirSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Random } from "../Random.ts"
import { bombs } from "./bombs.ts"
import { mutateFile } from "./mutate.ts"
import type { Files, Target } from "./Target.ts"
import { makeTargets, turns } from "./targets/index.ts"

export interface Case {
  readonly target: Target
  readonly files: Files
  /** The file that is changed. */
  readonly file: string
  readonly what: string
}

export class Cases {
  readonly #seed: number
  readonly #scratch: string
  readonly #targets: readonly Target[]
  /** Which of them a case takes, in turn. */
  readonly #turns: readonly Target[]
  /** What lies in the directory of a target. */
  readonly #lying = new Map<Target, Map<string, Uint8Array>>()

  private constructor(seed: number, scratch: string, targets: readonly Target[]) {
    this.#seed = seed
    this.#scratch = scratch
    this.#targets = targets
    this.#turns = turns.map((make) => targets[makeTargets.indexOf(make)]!)
  }

  static async make(seed: number, scratch: string): Promise<Cases> {
    const targets: Target[] = []
    for (const [at, make] of makeTargets.entries()) {
      const own = join(scratch, `made-${at}`)
      mkdirSync(own, { recursive: true })
      targets.push(await make(own))
    }
    return new Cases(seed, scratch, targets)
  }

  at(number: number): Case {
    const bomb = bombs[number]
    if (bomb !== undefined) {
      const target = this.#targets.find(({ name }) => name === bomb.target)!
      const file = bomb.file
      return {
        target,
        file,
        files: { ...target.samples[0], [file]: bomb.make() },
        what: `${target.name}: ${bomb.name}`
      }
    }
    const random = new Random(this.#seed, number)
    const target = this.#turns[number % this.#turns.length]!
    const sample = random.of(target.samples)
    const { changed = /./ } = target
    const file = random.of(Object.keys(sample).filter((name) => changed.test(name)))
    return { target, file, files: { ...sample, [file]: mutateFile(file, sample[file]!, random) }, what: target.name }
  }

  /** The directory of a case, with its files in it. */
  place({ target, files }: Case): string {
    const directory = join(this.#scratch, target.name)
    const lying = this.#lying.get(target) ?? new Map<string, Uint8Array>()
    this.#lying.set(target, lying)
    for (const name of [...lying.keys()]) {
      if (name in files) continue
      unlinkSync(join(directory, name))
      lying.delete(name)
    }
    for (const [name, bytes] of Object.entries(files)) {
      if (lying.get(name) === bytes) continue
      const path = join(directory, name)
      if (!lying.has(name)) mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, bytes)
      lying.set(name, bytes)
    }
    return directory
  }
}
