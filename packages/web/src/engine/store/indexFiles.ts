/** Files that were chosen or dropped, as a model with an index. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { indexName, type ModelFile, ModelIndex, type ModelPart, partBytes } from "../../model/ModelIndex.ts"
import { NotAModel, PartDamaged } from "../Errors.ts"
import type { ChosenFile, IndexedModel } from "../messages.ts"
import { Sha256 } from "./Sha256.ts"

const Description = Schema.Struct({
  files: Schema.Record(Schema.String, Schema.Struct({ bytes: Schema.Int, sha256: Schema.String }))
})

const json = <S extends Schema.Decoder<unknown>>(
  blob: Blob | undefined,
  schema: S
): Effect.Effect<S["Type"] | undefined> =>
  blob === undefined
    ? Effect.succeed(undefined)
    : Effect.tryPromise({ try: async () => JSON.parse(await blob.text()) as unknown, catch: (error) => error }).pipe(
        Effect.flatMap(Schema.decodeUnknownEffect(schema)),
        Effect.orElseSucceed(() => undefined)
      )

/** What is in the folder of the first config.json, by names; of a web export, that of the model. */
const folderOf = (files: readonly ChosenFile[]): ReadonlyMap<string, Blob> => {
  const config = files.find(({ path }) => /(^|\/)config\.json$/.test(path))
  const folder = config?.path.slice(0, -"config.json".length) ?? ""
  return new Map(
    files
      .filter(({ path }) => path.startsWith(folder) && !path.slice(folder.length).includes("/"))
      .map(({ path, blob }) => [path.slice(folder.length), blob])
  )
}

const isRead = (name: string): boolean =>
  /\.(json|safetensors|model|txt)$/.test(name) && !/^(quantization|index)\.json$|^LICENSE|^NOTICE/.test(name)

/** Cuts a file into parts and digests them, and it as a whole. */
const cut = async (name: string, blob: Blob, told: (bytes: number) => void, signal: AbortSignal) => {
  const whole = new Sha256()
  const parts: (readonly [ModelPart, Blob])[] = []
  for (let start = 0; start === 0 || start < blob.size; start += partBytes) {
    const part = blob.slice(start, Math.min(blob.size, start + partBytes))
    const bytes = new Uint8Array(await part.arrayBuffer())
    signal.throwIfAborted()
    const own = new Sha256()
    own.update(bytes)
    whole.update(bytes)
    told(bytes.length)
    parts.push([{ file: `${name}.${parts.length}`, bytes: bytes.length, sha256: own.hex() }, part])
  }
  return { parts, sha256: whole.hex() }
}

/**
 * The model among the files. Its digests are those of its index, or, of a packed export, are computed here and compared with its
 * description where that has them. Fails with NotAModel, PartDamaged.
 */
export const indexFiles = Effect.fnUntraced(function* (
  chosen: readonly ChosenFile[],
  told: (file: string, done: number, total: number) => void
): Effect.fn.Return<IndexedModel, NotAModel | PartDamaged> {
  const files = folderOf(chosen)
  const refused = (reason: string) => new NotAModel({ files: chosen.map(({ path }) => path), reason })
  const index = yield* json(files.get(indexName), ModelIndex)
  if (index !== undefined) {
    const all = index.files.flatMap(({ parts }) => parts)
    const missing = all.filter(({ file, bytes }) => files.get(file)?.size !== bytes)
    if (missing.length > 0)
      return yield* refused(`${missing.map(({ file }) => file).join(", ")} is missing or cut short`)
    return { index, partBlobs: new Map(all.map((part) => [part.sha256, files.get(part.file)!])) }
  }
  if (!files.has("config.json")) return yield* refused("there is no config.json among them")
  if (![...files.keys()].some((name) => name.endsWith(".safetensors"))) {
    return yield* refused("there is no .safetensors file beside config.json")
  }
  const read = [...files].filter(([name]) => isRead(name))
  const total = read.reduce((sum, [, { size }]) => sum + size, 0)
  const described = (yield* json(files.get("quantization.json"), Description))?.files ?? {}
  const [listed, partBlobs]: [ModelFile[], Map<string, Blob>] = [[], new Map()]
  let done = 0
  for (const [name, blob] of read) {
    const { parts, sha256 } = yield* Effect.tryPromise({
      try: (signal) => {
        const count = (bytes: number) => {
          done += bytes
          told(name, done, total)
        }
        return cut(name, blob, count, signal)
      },
      catch: (error) => refused(`${name} cannot be read: ${String(error)}`)
    })
    const expected = described[name]?.sha256
    if (expected !== undefined && expected !== sha256) {
      return yield* new PartDamaged({ file: name, expected, found: sha256 })
    }
    const [first, ...more] = parts.map(([part]) => part)
    listed.push({ name, parts: [first!, ...more] })
    for (const [{ sha256: digest }, part] of parts) partBlobs.set(digest, part)
  }
  const [first, ...more] = listed
  const at = chosen
    .find(({ path }) => path.endsWith("config.json"))!
    .path.split("/")
    .at(-2)
  return { index: { version: 1, name: at ?? "model", files: [first!, ...more] }, partBlobs }
})
