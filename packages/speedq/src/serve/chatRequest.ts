/**
 * Requests of the chat completions API that OpenAI defines (https://platform.openai.com/docs/api-reference/chat/create), as far as a
 * model of pictures and text can serve them. What would change an answer and cannot be done is refused, not ignored.
 */
import {
  decodeImage,
  imagePlaceholder,
  type PromptInput,
  type RgbImage,
  type Tiles,
  withPlaceholders
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
const ImagePart = Schema.Struct({ type: Schema.Literal("image_url"), image_url: Schema.Struct({ url: Schema.String }) })
const Part = Schema.Union([TextPart, ImagePart])
const Message = Schema.Struct({
  role: Schema.Literals(["system", "developer", "user", "assistant"]),
  content: Schema.Union([Schema.String, Schema.Array(Part)])
})
type Message = typeof Message.Type

const optional = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const between = (minimum: number, maximum: number) => Schema.Finite.check(Schema.isBetween({ minimum, maximum }))
const Tokens = Schema.Int.check(Schema.isGreaterThan(0))

export const ChatRequest = Schema.Struct({
  model: optional(Schema.String),
  messages: Schema.NonEmptyArray(Message),
  max_tokens: optional(Tokens),
  max_completion_tokens: optional(Tokens),
  temperature: optional(between(0, 2)),
  top_p: optional(between(0, 1)),
  seed: optional(Schema.Int),
  stop: optional(Schema.Union([Schema.String, Schema.Array(Schema.String)])),
  stream: optional(Schema.Boolean),
  stream_options: optional(Schema.Struct({ include_usage: optional(Schema.Boolean) }))
})
export type ChatRequest = typeof ChatRequest.Type

/** A request that cannot be served; `param` is the field that is in the way. */
export class RequestRefused extends Schema.TaggedError<RequestRefused>()("RequestRefused", {
  reason: Schema.String,
  param: Schema.NullOr(Schema.String)
}) {
  override get message() {
    return this.reason
  }
}

const refused = (param: string | null, reason: string) => new RequestRefused({ param, reason })

const isEmpty = (value: unknown) => value === null || value === undefined || value === false || value === 0
const isEmptyList = (value: unknown) => isEmpty(value) || (Array.isArray(value) && value.length === 0)
const isType = (type: string) => (value: unknown) =>
  isEmpty(value) || (typeof value === "object" && (value as { readonly type?: unknown }).type === type)
const isOne = (value: unknown) => isEmpty(value) || value === 1
const isNone = (value: unknown) => isEmpty(value) || value === "none" || value === "auto"

/** Fields that are not served, and what of them asks for nothing. */
const unserved: { readonly [field: string]: (value: unknown) => boolean } = {
  audio: isEmpty,
  frequency_penalty: isEmpty,
  function_call: isNone,
  functions: isEmptyList,
  logit_bias: (value) => isEmpty(value) || (typeof value === "object" && Object.keys(value as object).length === 0),
  logprobs: isEmpty,
  min_p: isEmpty,
  modalities: (value) => isEmptyList(value) || (Array.isArray(value) && value.length === 1 && value[0] === "text"),
  n: isOne,
  prediction: isEmpty,
  presence_penalty: isEmpty,
  repetition_penalty: isOne,
  response_format: isType("text"),
  tool_choice: isNone,
  tools: isEmptyList,
  top_k: (value) => isEmpty(value) || value === -1,
  top_logprobs: isEmpty,
  web_search_options: isEmpty
}

/** Fields that change no answer here. */
const harmless = new Set([
  ...["metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier", "service_tier", "store", "user"]
])

/** What stands in the way of serving a field; undefined where nothing does. */
const obstacle = (name: string, value: unknown): string | undefined => {
  if (Object.hasOwn(ChatRequest.fields, name) || harmless.has(name)) return undefined
  if (!Object.hasOwn(unserved, name)) return `"${name.slice(0, 100)}" is no field that is known here; leave it out`
  return unserved[name]!(value) ? undefined : `${name} cannot be served; leave it out`
}

const decode = Schema.decodeUnknownEffect(ChatRequest)

/** Reads a request. Fails with RequestRefused. */
export const readChatRequest = Effect.fnUntraced(function* (body: unknown) {
  if (typeof body !== "object" || body === null) return yield* refused(null, "the body is no JSON object")
  for (const [name, value] of Object.entries(body)) {
    const reason = obstacle(name, value)
    if (reason !== undefined) return yield* refused(name, reason)
  }
  return yield* Effect.mapError(decode(body), ({ message }) => refused(null, message))
})

interface Content {
  readonly text: string
  /** data: URLs, in order. */
  readonly images: readonly string[]
  /** Whether they lie between texts, so that their places are marked in `text`. */
  readonly isMarked: boolean
}

/** Texts and pictures of a message. Pictures that come before all text, or after it, are put before it, as the model was trained. */
const contentOf = ({ content }: Message): Content => {
  if (typeof content === "string") return { text: content, images: [], isMarked: false }
  const images = content.flatMap((part) => (part.type === "image_url" ? [part.image_url.url] : []))
  const kinds = content.map(({ type }) => type).join(" ")
  const isMarked = !/^((image_url ?)*(text ?)*|(text ?)*(image_url ?)*)$/.test(kinds)
  const shown = (part: (typeof content)[number]) =>
    part.type === "text" ? [part.text] : isMarked ? [imagePlaceholder] : []
  return { text: content.flatMap(shown).join("\n"), images, isMarked }
}

/** A data: URL with base64; other addresses would have to be fetched. */
const bytesOf = (url: string): Effect.Effect<Uint8Array, RequestRefused> => {
  const start = /^data:image\/[^,]*;base64,/i.exec(url.slice(0, 200))
  const data = start === null ? "" : url.slice(start[0].length)
  if (start !== null && /^[a-z0-9+/_-]*=*$/i.test(data)) return Effect.succeed(Buffer.from(data, "base64"))
  const problem = start === null ? "nothing is fetched here" : "the rest is no base64"
  const reason = `image_url begins with "${url.slice(0, 30)}": ${problem}; send the picture itself, as data:image/png;base64,...`
  return Effect.fail(refused("messages", reason))
}

export interface ReadQuestion {
  readonly question: string
  readonly history: NonNullable<PromptInput["history"]>
  readonly images: readonly Tiles[]
  readonly system: string | undefined
}

/** Fails where texts mark other places than there are pictures: one would take the place of another. */
const checkMarks = (text: string, images: number): Effect.Effect<void, RequestRefused> => {
  const places = text.split(imagePlaceholder).length - 1
  if (places === images) return Effect.void
  const reason = `a message spells out ${imagePlaceholder}, which marks the place of a picture; leave it out of the text`
  return Effect.fail(refused("messages", reason))
}

interface ReadOptions {
  /** Of all pictures of a request together. */
  readonly maxPixels: number
  readonly tilesOf: (picture: RgbImage) => Tiles
}

/**
 * The question that messages end with, and what stands before it. A picture is cut into tiles as soon as it is decoded, and goes. Fails
 * with RequestRefused, also for pictures that cannot be read or are too large together.
 */
export const readMessages = Effect.fnUntraced(function* (
  messages: readonly Message[],
  { maxPixels, tilesOf }: ReadOptions
): Effect.fn.Return<ReadQuestion, RequestRefused> {
  const isSystem = ({ role }: Message) => role === "system" || role === "developer"
  const first = messages.findIndex((message) => !isSystem(message))
  const [before, turns] = first === -1 ? [messages, []] : [messages.slice(0, first), messages.slice(first)]
  const order = turns.every(({ role }, at) => role === (at % 2 === 0 ? "user" : "assistant"))
  if (before.some((message) => contentOf(message).images.length > 0)) {
    return yield* refused("messages", "a system message has a picture; only a user's may")
  }
  if (!order || turns.length % 2 === 0) {
    const roles = [...messages.slice(0, 10).map(({ role }) => role), ...(messages.length > 10 ? ["..."] : [])].join(
      ", "
    )
    return yield* refused(
      "messages",
      `roles are ${roles}; after system messages, user and assistant take turns, and user is last`
    )
  }
  const [texts, tiled]: [string[], Tiles[]] = [[], []]
  let left = maxPixels
  for (const [at, message] of turns.entries()) {
    const { text, images, isMarked } = contentOf(message)
    if (message.role === "assistant") {
      if (images.length > 0)
        return yield* refused("messages", "an assistant's message has a picture; only a user's may")
      texts.push(text)
      continue
    }
    yield* checkMarks(text, isMarked ? images.length : 0)
    texts.push(isMarked ? text : withPlaceholders(text, images.length, tiled.length))
    for (const url of images) {
      const options = { maxPixels: left, name: `picture ${tiled.length + 1}` }
      const picture = yield* Effect.mapError(decodeImage(yield* bytesOf(url), options), ({ message: reason }) =>
        refused(`messages[${before.length + at}]`, `${reason} (all pictures together may have ${maxPixels} pixels)`)
      )
      left = Math.max(0, left - picture.width * picture.height)
      tiled.push(tilesOf(picture))
    }
  }
  const history = Array.from({ length: (texts.length - 1) / 2 }, (_, turn) => ({
    question: texts[2 * turn]!,
    answer: texts[2 * turn + 1]!
  }))
  const system = before.map((message) => contentOf(message).text).join("\n")
  return { question: texts.at(-1)!, history, images: tiled, system: system === "" ? undefined : system }
})
