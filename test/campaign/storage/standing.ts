/** How far the stages in an image of a disk are, read by the engine's own code. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { readManifest, unlessDamaged, verifyFile } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { Standing } from "../runs.ts"
import { type Image, writeImage } from "./Disk.ts"
import { Signatures } from "./Signatures.ts"

const standingOf = (place: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const found = yield* readManifest(place)
    if (Option.isNone(found)) return 0
    const { finished, checkpoints } = found.value.manifest
    const isWhole = (
      files: ReadonlyArray<(typeof checkpoints)[number] | NonNullable<typeof finished>["files"][number]>
    ) =>
      Effect.map(
        unlessDamaged(
          Effect.forEach(files, (file) => verifyFile(path.join(place, file.file), file), { discard: true })
        ),
        Option.isSome
      )
    if (finished !== null && (yield* isWhole([...Object.values(finished.artefacts), ...finished.files]))) {
      return Number.POSITIVE_INFINITY
    }
    for (const checkpoint of checkpoints) if (yield* isWhole([checkpoint])) return checkpoint.step
    return 0
  })

/** Reads images; what it has read of a stage's files it does not read again. */
export class StandingReader {
  readonly #signatures = new Signatures()
  readonly #known = new Map<string, number>()
  readonly #directory: string
  readonly #runtime = ManagedRuntime.make(NodeServices.layer)

  /** What it reads is written to `directory` first. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** How far the stages of the run in `directory` are; the stages' files elsewhere count as theirs. */
  async read(image: Image, directory: string, places: Iterable<string>): Promise<Standing> {
    const standing = new Map<string, number>()
    for (const place of places) {
      const stage = `${directory}/stages/${place}`
      const isOwn = (path: string) => path.startsWith(`${stage}/`) || path.startsWith(`${directory}/model/`)
      const own = new Map([...image].filter(([path]) => isOwn(path)))
      const key = `${place}\n${this.#signatures.of(own)}`
      const step = this.#known.get(key) ?? (await this.#readAnew(own, stage))
      this.#known.set(key, step)
      standing.set(place, step)
    }
    return standing
  }

  #readAnew(own: Image, stage: string): Promise<number> {
    rmSync(this.#directory, { recursive: true, force: true })
    writeImage(own, this.#directory)
    return this.#runtime.runPromise(standingOf(join(this.#directory, stage)))
  }
}
