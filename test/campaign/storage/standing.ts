/** How far the stages in an image of a disk are, read by the engine's own code. */
import { readManifest, unlessDamaged, verifyFile } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as PlatformError from "effect/PlatformError"
import type { Standing } from "../runs.ts"
import type { Image } from "./Disk.ts"

const missing = (method: string, path: string) =>
  PlatformError.systemError({ _tag: "NotFound", module: "FileSystem", method, pathOrDescriptor: path })

/** As much of a file system as reading manifests and digests takes. */
const fileSystemOf = (image: Image) => {
  const bytesOf = (method: string, path: string) => {
    const bytes = image.get(path)
    return bytes === undefined ? Effect.fail(missing(method, path)) : Effect.succeed(bytes)
  }
  return Layer.succeed(
    FileSystem.FileSystem,
    FileSystem.makeNoop({
      readFileString: (path) => Effect.map(bytesOf("readFileString", path), (bytes) => new TextDecoder().decode(bytes)),
      open: (path) =>
        Effect.map(bytesOf("open", path), (bytes) => {
          let at = 0
          const read = (block: Uint8Array) =>
            Effect.sync(() => {
              const piece = bytes.subarray(at, at + block.length)
              block.set(piece)
              at += piece.length
              return piece.length
            })
          return { read } as unknown as FileSystem.File
        })
    })
  )
}

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
  readonly #numbers = new WeakMap<Uint8Array, number>()
  readonly #known = new Map<string, number>()
  #next = 0

  /** Bytes are told apart by where they are in memory: those of a flushed file are the same ones in every image. */
  #numberOf(bytes: Uint8Array): number {
    const known = this.#numbers.get(bytes) ?? this.#next++
    this.#numbers.set(bytes, known)
    return known
  }

  /** A text that is the same for images with the same files. */
  signature(image: Image): string {
    return [...image]
      .map(([path, bytes]) => `${path} ${this.#numberOf(bytes)}`)
      .sort()
      .join("\n")
  }

  /** How far the stages of the run in `directory` are; the stages' files elsewhere count as theirs. */
  async read(image: Image, directory: string, places: Iterable<string>): Promise<Standing> {
    const standing = new Map<string, number>()
    const within = new Map([...image].filter(([path]) => path.startsWith(`${directory}/`)))
    for (const place of places) {
      const prefix = `${directory}/stages/${place}`
      const own = new Map(
        [...within].filter(([path]) => path.startsWith(`${prefix}/`) || path.startsWith(`${directory}/model/`))
      )
      const key = `${place}\n${this.signature(own)}`
      const known = this.#known.get(key)
      const step =
        known ??
        (await Effect.runPromise(
          standingOf(prefix).pipe(Effect.provide(Layer.merge(fileSystemOf(within), Path.layer)), Effect.orDie)
        ))
      this.#known.set(key, step)
      standing.set(place, step)
    }
    return standing
  }
}
