/** Answers as documents and events of the chat completions API. */
import { randomUUID } from "node:crypto"
import { Random } from "@speedq/tensors"
import {
  type AnswerError,
  defaultMaxPixels,
  greedy,
  nucleus,
  openAnswer as openText,
  type Question
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { openChatModel } from "../models/chatModel.ts"
import { type ChatRequest, type ReadQuestion, type RequestRefused, readMessages } from "./chatRequest.ts"
import { stopText } from "./stopText.ts"

type ServedModel = Effect.Success<ReturnType<typeof openChatModel>>

/** How a model is served. */
export interface Serving {
  readonly served: ServedModel
  /** What requests and answers call it. */
  readonly name: string
  /** Longest answer where a request says none. */
  readonly maxNewTokens: number
  readonly maxPixels: number | undefined
}

/** Temperature 0, or none, takes the most likely token, and so does the smallest share of them. */
const samplerOf = ({ temperature, top_p: topP, seed }: ChatRequest) =>
  temperature === undefined || temperature === null || temperature === 0 || topP === 0
    ? greedy
    : nucleus({ temperature, topP: topP ?? 1, random: Random.make(seed ?? 0, "chat") })

const stopsOf = ({ stop }: ChatRequest): readonly string[] =>
  (typeof stop === "string" ? [stop] : (stop ?? [])).filter((word) => word !== "")

interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
}

type Finish = "stop" | "length"

/** A piece of an answer, and at last how it ended. */
type AnswerEvent = { readonly text: string } | { readonly finish: Finish; readonly usage: Usage }

/** The answer to come. Fails with what is wrong with the question. */
const answerEvents = Effect.fnUntraced(function* (
  { served: { answering }, maxNewTokens }: Serving,
  request: ChatRequest,
  { question, history, images, system }: ReadQuestion
) {
  const most = request.max_completion_tokens ?? request.max_tokens ?? maxNewTokens
  let [prompt, produced] = [0, 0]
  const asked: Question = {
    ...{ question, history, images, maxNewTokens: most, sampler: samplerOf(request) },
    ...(system === undefined ? {} : { system }),
    watch: ({ tokens }) => {
      prompt = tokens
    },
    onToken: () => {
      produced++
    }
  }
  const stop = stopText(stopsOf(request))
  let isStopped = false
  const pieces = (yield* openText(answering, asked)).pipe(
    Stream.map((piece) => {
      const { text, stopped } = stop.push(piece)
      isStopped = stopped
      return { text }
    }),
    Stream.takeUntil(() => isStopped)
  )
  const ends = Stream.suspend(() => {
    const limit = answering.directory.config.llm_config.max_position_embeddings
    const finish: Finish = !isStopped && produced >= Math.min(most, limit - prompt) ? "length" : "stop"
    const usage = { prompt_tokens: prompt, completion_tokens: produced, total_tokens: prompt + produced }
    const rest: readonly AnswerEvent[] = isStopped ? [] : [{ text: stop.flush() }]
    return Stream.fromIterable<AnswerEvent>([...rest, { finish, usage }])
  })
  return Stream.concat(pieces, ends).pipe(Stream.filter((event) => !("text" in event) || event.text !== ""))
})

/** Reads what a request asks, and gives the answer to come. Fails where it cannot be asked. */
export const openAnswer = Effect.fnUntraced(function* (
  serving: Serving,
  request: ChatRequest
): Effect.fn.Return<Stream.Stream<AnswerEvent, AnswerError>, RequestRefused | AnswerError> {
  const { maxPixels = defaultMaxPixels, served } = serving
  const read = yield* readMessages(request.messages, { maxPixels, tilesOf: served.tilesOf })
  return yield* answerEvents(serving, request, read)
})

/** What every document of one answer begins with. */
export const answerHead = ({ name }: Serving) => ({
  id: `chatcmpl-${randomUUID()}`,
  created: Math.floor(Date.now() / 1000),
  model: name
})

type Head = ReturnType<typeof answerHead>

/** The one document of an answer that is not streamed. */
export const completion = (head: Head, events: readonly AnswerEvent[]) => {
  const content = events.map((event) => ("text" in event ? event.text : "")).join("")
  const last = events.at(-1)!
  const { finish, usage } = "text" in last ? { finish: "stop", usage: null } : last
  const message = { role: "assistant", content: content.trim() }
  return {
    ...head,
    object: "chat.completion",
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish }],
    usage
  }
}

/** Events of an answer that is streamed, each the JSON of its data; usage where it is asked for. */
export const completionChunks = (
  head: Head,
  request: ChatRequest,
  events: Stream.Stream<AnswerEvent, AnswerError>
): Stream.Stream<string, AnswerError> => {
  const chunk = (choices: readonly object[], more: object = {}) =>
    JSON.stringify({ ...head, object: "chat.completion.chunk", choices, ...more })
  const choice = (delta: object, finish: Finish | null) =>
    chunk([{ index: 0, delta, logprobs: null, finish_reason: finish }])
  const isCounted = request.stream_options?.include_usage === true
  const begins = Stream.make(choice({ role: "assistant", content: "" }, null))
  const told = Stream.flatMap(events, (event) =>
    "text" in event
      ? Stream.make(choice({ content: event.text }, null))
      : Stream.fromIterable([choice({}, event.finish), ...(isCounted ? [chunk([], { usage: event.usage })] : [])])
  )
  return Stream.concat(begins, told)
}
