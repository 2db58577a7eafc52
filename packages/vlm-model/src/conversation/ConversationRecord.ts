/** One record of an annotation file: a conversation and what it shows. Other keys are ignored. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { DataQuirks } from "./DataQuirks.ts"
import type { Turn } from "./encodeConversation.ts"

const Paths = Schema.Union([Schema.String, Schema.Array(Schema.String)])

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
  image: Schema.optionalKey(Paths),
  images: Schema.optionalKey(Schema.NullOr(Paths)),
  video: Schema.optionalKey(Schema.NullOr(Schema.String)),
  videos: Schema.optionalKey(Schema.NullOr(Paths)),
  /** Start and end in seconds. */
  clip: Schema.optionalKey(Schema.NullOr(Schema.Tuple([Schema.Finite, Schema.Finite]))),
  /** Token count, for grouping by length only. */
  length: Schema.optionalKey(Schema.NullOr(Schema.Int))
})

/** A record whose turns are InternVL's, however they were written. */
export interface ConversationRecord extends Omit<typeof Written.Type, "conversations" | "messages"> {
  readonly conversations: readonly [Turn, ...ReadonlyArray<Turn>]
  /** Whether the turns were written as `messages`, which the reference does not read. */
  readonly fromMessages?: true
}

const speakerOf = { system: "system", user: "human", assistant: "gpt" } as const

const decodeWritten = Schema.decodeUnknownResult(Written)
const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Decodes one line, or fails with a reason. */
export const readRecord = (line: Uint8Array): Result.Result<ConversationRecord, string> => {
  let json: unknown
  try {
    json = JSON.parse(utf8.decode(line))
  } catch (error) {
    return Result.fail(`not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  return Result.flatMap(
    Result.mapError(decodeWritten(json), ({ message }) => message),
    ({ conversations, messages, ...shown }): Result.Result<ConversationRecord, string> => {
      if (conversations !== undefined && messages !== undefined) {
        return Result.fail('the record has both "conversations" and "messages"; keep one of them')
      }
      if (conversations !== undefined) return Result.succeed({ ...shown, conversations })
      if (messages === undefined) return Result.fail('the record has neither "conversations" nor "messages"')
      const turnOf = ({ role, content }: (typeof messages)[number]): Turn => ({ from: speakerOf[role], value: content })
      const [first, ...rest] = messages
      return Result.succeed({ ...shown, conversations: [turnOf(first), ...rest.map(turnOf)], fromMessages: true })
    }
  )
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
    if (record.fromMessages)
      return Result.fail('the record has no "conversations", and the reference reads no "messages"')
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

const pictures = (given: string | ReadonlyArray<string> | null | undefined): Shown | undefined => {
  if (given === undefined || given === null || given.length === 0) return undefined
  return typeof given === "string" ? { kind: "image", path: given } : { kind: "images", paths: given }
}
