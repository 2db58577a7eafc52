/** A conversation: lines that a person gives, each a question or a command, and what the model answers. */
import type { BackendName } from "@speedq/tensors"
import { makeConversation, type RgbImage } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { LinesUndone } from "../Errors.ts"
import { shippedPath } from "../shipped/shipped.ts"
import type { Shown } from "./ask.ts"
import { chatCommands, readChatLine } from "./chatLine.ts"
import { type ChatRequest, chatting, openChatModel, readPicture } from "./chatModel.ts"
import { modelOf } from "./modelOf.ts"

/** Who talks to the model. */
export interface Person extends Shown {
  /** What they type, line by line, until they leave. */
  readonly lines: Stream.Stream<string>
  /** Comes when they stop an answer. */
  readonly stops: Effect.Effect<void>
  /** Whether they see what is said; a script learns by a failure at the end that a line came to nothing. */
  readonly watches: boolean
  /** What is said besides answers. */
  readonly remark: (text: string) => Effect.Effect<void>
  /** Called before each line is waited for. */
  readonly wait: Effect.Effect<void>
}

interface Picture {
  readonly file: string
  readonly picture: RgbImage
}

const named = (pictures: readonly Picture[]): string => pictures.map(({ file }) => file).join(", ")

/** Talks until the lines end. A picture that cannot be read and a question that cannot be asked are told, and it goes on; a script fails then. */
const converseAbout = Effect.fn("converse")(
  function* (shownFirst: readonly Picture[], request: ChatRequest, _backend: BackendName, person: Person) {
    const { remark, wait, lines, piece, stops, watches } = person
    const { model, backend, answering, sampler, tilesOf } = yield* openChatModel(request)
    const conversation = yield* Effect.acquireRelease(
      Effect.sync(() => makeConversation(answering)),
      ({ release }) => Effect.sync(release)
    )
    let pictures = shownFirst
    let undone = 0
    const refuse = (reason: string) => {
      undone++
      return remark(reason)
    }

    const look = (file: string) =>
      readPicture(request, shippedPath(file)).pipe(
        Effect.flatMap((picture) => {
          pictures = [...pictures, { file, picture }]
          return remark(`the next question is about ${named(pictures)}`)
        }),
        Effect.catch(({ message }) => refuse(message))
      )

    const ask = (question: string) => {
      const images = pictures.map(({ picture }) => tilesOf(picture))
      const { maxNewTokens } = request
      const before = conversation.turns().length
      const asked = { question, images, maxNewTokens, sampler }
      const answer = conversation.ask(person.preparing ? { ...asked, watch: person.preparing } : asked)
      return answer.pipe(
        Stream.haltWhen(stops),
        Stream.runForEach(piece),
        Effect.andThen(
          Effect.suspend(() => {
            // Stopped before it began, it was not asked.
            if (conversation.turns().length > before) pictures = []
            return piece("\n")
          })
        ),
        // The pictures stay for the question that is asked in its place.
        Effect.catch(({ message }) => refuse(message))
      )
    }

    const forget = Effect.suspend(() => {
      const turns = conversation.turns().length
      conversation.reset()
      pictures = []
      return remark(`${turns === 1 ? "1 question" : `${turns} questions`}, answers and pictures are forgotten`)
    })

    const obey = (line: string) => {
      const said = readChatLine(line)
      switch (said.kind) {
        case "nothing":
        case "exit":
          return Effect.void
        case "question":
          return ask(said.text)
        case "image":
          return look(said.file)
        case "reset":
          return forget
        case "help":
          return remark(chatCommands)
        case "unknown":
          return refuse(`${said.reason}\n${chatCommands}`)
      }
    }

    yield* remark(`${model} on ${backend}\n${chatCommands}`)
    if (pictures.length > 0) yield* remark(`the first question is about ${named(pictures)}`)
    yield* wait
    yield* lines.pipe(
      Stream.takeWhile((line) => readChatLine(line).kind !== "exit"),
      Stream.runForEach((line) => Effect.andThen(obey(line), wait))
    )
    if (undone > 0 && !watches) return yield* new LinesUndone({ lines: undone })
  },
  (self, _shown, request, backend) => self.pipe(Effect.scoped, Effect.provide(chatting(request, backend)))
)

/** A conversation on a backend, whose first question is about some pictures. These are read before the model, which takes its time. */
export const converse = Effect.fnUntraced(function* (
  files: readonly string[],
  request: ChatRequest,
  backend: BackendName,
  person: Person
) {
  yield* modelOf(request.model)
  const pictures = yield* Effect.forEach(files, (file) =>
    Effect.map(readPicture(request, file), (picture) => ({ file, picture }))
  )
  yield* converseAbout(pictures, request, backend, person)
})
