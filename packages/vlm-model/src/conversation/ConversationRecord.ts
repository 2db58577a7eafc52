/** One record of an annotation file: a conversation and what it shows. Other keys are ignored. */
import { parseJson } from "@speedq/formats"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DataQuirks } from "./DataQuirks.ts"
import type { Turn } from "./encodeConversation.ts"

/** A file: its path, or an object that has it, as ms-swift and exports of data sets write them. */
const Entry = Schema.Union([
  Schema.String,
  Schema.Struct({
    path: Schema.optionalKey(Schema.NullOr(Schema.String)),
    bytes: Schema.optionalKey(Schema.Unknown)
  })
])
const Entries = Schema.NullOr(Schema.Union([Entry, Schema.Array(Entry)]))

/** A record as it is written: InternVL's keys, or those of ms-swift and LLaMA-Factory. */
const Written = Schema.Struct({
  conversations: Schema.optionalKey(
    Schema.NonEmptyArray(Schema.Struct({ from: Schema.Literals(["system", "human", "gpt"]), value: Schema.String }))
  ),
  messages: Schema.optionalKey(
    Schema.NonEmptyArray(
      Schema.Struct({
        role: Schema.Literals(["system", "user", "assistant"]),
        content: Schema.String,
        // A turn that is not to be learned from cannot be left out here.
        loss: Schema.optionalKey(Schema.NullOr(Schema.Literals([true, 1])))
      })
    )
  ),
  /** A path, or several; relative to the data set's root. */
  image: Schema.optionalKey(Entries),
  images: Schema.optionalKey(Entries),
  video: Schema.optionalKey(Schema.NullOr(Entry)),
  videos: Schema.optionalKey(Entries),
  /** Start and end in seconds. */
  clip: Schema.optionalKey(Schema.NullOr(Schema.Tuple([Schema.Finite, Schema.Finite]))),
  /** Token count, for grouping by length only. */
  length: Schema.optionalKey(Schema.NullOr(Schema.Int))
})

type Paths = string | ReadonlyArray<string> | null

const shownKeys = ["image", "images", "video", "videos"] as const
type ShownKey = (typeof shownKeys)[number]

/** A record whose turns are InternVL's and whose files are paths, however they were written. */
export interface ConversationRecord extends Omit<typeof Written.Type, "conversations" | "messages" | ShownKey> {
  readonly conversations: readonly [Turn, ...ReadonlyArray<Turn>]
  readonly image?: Paths
  readonly images?: Paths
  readonly video?: string | null
  readonly videos?: Paths
  /** Why the reference cannot read it as it was written; absent where it can. */
  readonly unreadByReference?: string
}

const speakerOf = { system: "system", user: "human", assistant: "gpt" } as const

const decodeWritten = Schema.decodeUnknownResult(Written)
const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Decodes one line, or fails with a reason. */
export const readRecord = (line: Uint8Array): Result.Result<ConversationRecord, string> => {
  let json: unknown
  try {
    json = parseJson(utf8.decode(line))
  } catch (error) {
    return Result.fail(`not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  return Result.gen(function* () {
    const written = yield* Result.mapError(decodeWritten(json), ({ message }) => message)
    const { conversations: _, messages: __, image, images, video, videos, ...rest } = written
    const conversations = yield* turnsOf(written)
    const unread = unreadByReference(written)
    return {
      ...rest,
      ...(image !== undefined && { image: yield* pathsOf("image", image) }),
      ...(images !== undefined && { images: yield* pathsOf("images", images) }),
      ...(video !== undefined && { video: video && (yield* pathOf("video", video)) }),
      ...(videos !== undefined && { videos: yield* pathsOf("videos", videos) }),
      conversations,
      ...(unread !== undefined && { unreadByReference: unread })
    }
  })
}

type Written = typeof Written.Type

const turnsOf = ({ conversations, messages }: Written): Result.Result<ConversationRecord["conversations"], string> => {
  if (conversations !== undefined && messages !== undefined) {
    return Result.fail('the record has both "conversations" and "messages"; keep one of them')
  }
  if (conversations !== undefined) return Result.succeed(conversations)
  if (messages === undefined) return Result.fail('the record has neither "conversations" nor "messages"')
  const turnOf = ({ role, content }: (typeof messages)[number]): Turn => ({ from: speakerOf[role], value: content })
  const [first, ...rest] = messages
  return Result.succeed([turnOf(first), ...rest.map(turnOf)])
}

const pathOf = (key: string, entry: typeof Entry.Type): Result.Result<string, string> => {
  if (typeof entry === "string") return Result.succeed(entry)
  if (entry.bytes !== undefined && entry.bytes !== null) {
    return Result.fail(`"${key}" holds the bytes of a file; write them to a file and give its path`)
  }
  return typeof entry.path === "string" ? Result.succeed(entry.path) : Result.fail(`an entry of "${key}" has no "path"`)
}

const isList = (entries: typeof Entries.Type): entries is ReadonlyArray<typeof Entry.Type> => Array.isArray(entries)

const pathsOf = (key: string, entries: typeof Entries.Type): Result.Result<Paths, string> => {
  if (entries === null) return Result.succeed(null)
  return isList(entries) ? Result.all(entries.map((entry) => pathOf(key, entry))) : pathOf(key, entries)
}

/** The reference reads `conversations`, and paths under `image` and `video`. */
const unreadByReference = ({ messages, image, video }: Written): string | undefined => {
  if (messages !== undefined) return 'the record has no "conversations", and the reference reads no "messages"'
  if (image === null) return '"image" is null, which the reference fails on'
  const entries = [video, ...(image !== undefined && isList(image) ? image : [image])]
  return entries.some((entry) => typeof entry === "object" && entry !== null)
    ? "the reference reads paths, not objects that hold one"
    : undefined
}

/** What a record shows. A list of images, even of one, is handled otherwise than a single image. */
export type Shown =
  | { readonly kind: "image"; readonly path: string }
  | { readonly kind: "images"; readonly paths: ReadonlyArray<string> }
  | { readonly kind: "video"; readonly path: string }
  | { readonly kind: "text" }

/** Fails with a reason where a record does not say one thing. `quirks.unmatchedPlaceholders` reads what the reference reads. */
export const shownBy = (
  record: ConversationRecord,
  { unmatchedPlaceholders }: Pick<DataQuirks, "unmatchedPlaceholders">
): Result.Result<Shown, string> => {
  const { image, images, video, videos } = record
  if (unmatchedPlaceholders) {
    if (record.unreadByReference !== undefined) return Result.fail(record.unreadByReference)
    return Result.succeed(pictures(image) ?? (video ? { kind: "video", path: video } : { kind: "text" }))
  }
  const [own, listed] = [pictures(image), pictures(images)]
  if (own && listed) return Result.fail('the record has both "image" and "images"; keep one of them')
  const paths = [...(video ? [video] : []), ...(typeof videos === "string" ? [videos] : (videos ?? []))].filter(Boolean)
  if (paths.length > 1) return Result.fail(`the record has ${paths.length} videos; only one can be shown`)
  const shown = own ?? listed
  const [path] = paths
  if (shown && path !== undefined) return Result.fail("the record has images and a video; only one kind can be shown")
  return Result.succeed(shown ?? (path === undefined ? { kind: "text" } : { kind: "video", path }))
}

const pictures = (given: Paths | undefined): Shown | undefined => {
  if (given === undefined || given === null || given.length === 0) return undefined
  return typeof given === "string" ? { kind: "image", path: given } : { kind: "images", paths: given }
}
