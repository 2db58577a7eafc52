/**
 * Requests of the chat completions API that OpenAI defines (https://platform.openai.com/docs/api-reference/chat/create), as far as a
 * model of pictures and text can serve them. What would change an answer and cannot be done is refused, not ignored.
 */
import { decodeImage, imagePlaceholder, type PromptInput, type RgbImage, withPlaceholders } from "@speedq/vlm-model"
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
const isNone = (value: unknown) => isEmpty(value) || value === "none" || value === "auto"

/** Fields that are not served, and what of them asks for nothing. */
const unserved: { readonly [field: string]: (value: unknown) => boolean } = {
  audio: isEmpty,
  frequency_penalty: isEmpty,
  function_call: isNone,
  functions: isEmptyList,
  logit_bias: (value) => isEmpty(value) || Object.keys(value as object).length === 0,
  logprobs: isEmpty,
  n: (value) => isEmpty(value) || value === 1,
  presence_penalty: isEmpty,
  response_format: isType("text"),
  tool_choice: isNone,
  tools: isEmptyList,
  top_logprobs: isEmpty,
  web_search_options: isEmpty
}

const decode = Schema.decodeUnknownEffect(ChatRequest)

/** Reads a request. Fails with RequestRefused. */
export const readChatRequest = Effect.fnUntraced(function* (body: unknown) {
  if (typeof body !== "object" || body === null) return yield* refused(null, "the body is no JSON object")
  const wanted = Object.entries(body).find(([name, value]) => Object.hasOwn(unserved, name) && !unserved[name]!(value))
  if (wanted !== undefined) {
    const [name, value] = wanted
    return yield* refused(name, `${name} ${JSON.stringify(value).slice(0, 100)} cannot be served; leave it out`)
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
  const start = /^data:image\/[a-z0-9.+-]+;base64,/i.exec(url)
  if (start !== null) return Effect.succeed(Buffer.from(url.slice(start[0].length), "base64"))
  const reason = `image_url begins with "${url.slice(0, 30)}": nothing is fetched here; send the picture itself, as data:image/png;base64,...`
  return Effect.fail(refused("messages", reason))
}

export interface ReadQuestion {
  readonly question: string
  readonly history: NonNullable<PromptInput["history"]>
  readonly pictures: readonly RgbImage[]
  readonly system: string | undefined
}

/** Fails where texts mark other places than there are pictures: one would take the place of another. */
const checkMarks = (text: string, images: number): Effect.Effect<void, RequestRefused> => {
  const places = text.split(imagePlaceholder).length - 1
  if (places === images) return Effect.void
  const reason = `a message spells out ${imagePlaceholder}, which marks the place of a picture; leave it out of the text`
  return Effect.fail(refused("messages", reason))
}

/** The question that messages end with, and what stands before it. Fails with RequestRefused, also for a picture that cannot be read. */
export const readMessages = Effect.fnUntraced(function* (
  messages: readonly Message[],
  limits: { readonly maxPixels?: number }
): Effect.fn.Return<ReadQuestion, RequestRefused> {
  const isSystem = ({ role }: Message) => role === "system" || role === "developer"
  const first = messages.findIndex((message) => !isSystem(message))
  const [before, turns] = first === -1 ? [messages, []] : [messages.slice(0, first), messages.slice(first)]
  const order = turns.every(({ role }, at) => role === (at % 2 === 0 ? "user" : "assistant"))
  if (!order || turns.length % 2 === 0) {
    const roles = messages.map(({ role }) => role).join(", ")
    return yield* refused(
      "messages",
      `roles are ${roles}; after system messages, user and assistant take turns, and user is last`
    )
  }
  const [texts, pictures]: [string[], RgbImage[]] = [[], []]
  for (const [at, message] of turns.entries()) {
    const { text, images, isMarked } = contentOf(message)
    if (message.role === "assistant") {
      if (images.length > 0)
        return yield* refused("messages", "an assistant's message has a picture; only a user's may")
      texts.push(text)
      continue
    }
    yield* checkMarks(text, isMarked ? images.length : 0)
    texts.push(isMarked ? text : withPlaceholders(text, images.length, pictures.length))
    for (const url of images) {
      const name = `picture ${pictures.length + 1}`
      const read = decodeImage(yield* bytesOf(url), { ...limits, name })
      pictures.push(
        yield* Effect.mapError(read, ({ message: reason }) => refused(`messages[${before.length + at}]`, reason))
      )
    }
  }
  const history = Array.from({ length: (texts.length - 1) / 2 }, (_, turn) => ({
    question: texts[2 * turn]!,
    answer: texts[2 * turn + 1]!
  }))
  const system = before.map((message) => contentOf(message).text).join("\n")
  return { question: texts.at(-1)!, history, pictures, system: system === "" ? undefined : system }
})
