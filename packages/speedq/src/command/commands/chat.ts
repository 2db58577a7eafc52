/** `speedq chat`: asks a model about pictures, one question or several in a conversation. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WrongUsage } from "../../Errors.ts"
import { shippedPath } from "../../shipped/shipped.ts"
import { defaulted, repeated } from "../flagDefaults.ts"
import { activations, arithmetic, backend, count, json, maxPixels, maxTiles, model, seed, verify } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathFlag } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

/** Flags of sampling do nothing where nothing is sampled. */
const refuseUnsampled = (request: {
  readonly temperature: Option.Option<number>
  readonly topP: Option.Option<number>
  readonly seed: Option.Option<number>
}) => {
  const given = { "--top-p": request.topP, "--seed": request.seed }
  const idle = Object.entries(given).flatMap(([name, value]) => (Option.isSome(value) ? [name] : []))
  if (Option.isSome(request.temperature) || idle.length === 0) return Effect.void
  const problems = idle.map((name) => `${name} is for sampling; add --temperature, such as --temperature 0.7`)
  return Effect.fail(new WrongUsage({ problems, help: "speedq chat --help" }))
}

/** One document tells of one question. */
const refuseJson = (json: boolean, question: string | undefined) =>
  json && question === undefined
    ? Effect.fail(
        new WrongUsage({ problems: ["--json needs a question; a conversation is text"], help: "speedq chat --help" })
      )
    : Effect.void

export const chat = Command.make(
  "chat",
  {
    model,
    question: Argument.String("question").pipe(
      Argument.withDescription("what to ask about the pictures; without it, a conversation over standard input"),
      Argument.optional
    ),
    images: pathFlag("image", "FILE", "file").pipe(
      Flag.withDescription("PNG, JPEG, WebP, GIF, BMP or TIFF; repeat it for several pictures, in order"),
      Flag.map(shippedPath),
      repeated
    ),
    maxNewTokens: count("max-new-tokens").pipe(defaulted("longest answer, in tokens", 1024)),
    maxTiles,
    maxPixels,
    temperature: Flag.Finite("temperature").pipe(
      Flag.withDescription("sample tokens at this temperature; without it, take the most likely one"),
      Flag.filter(
        (value) => value > 0,
        () => "a number above 0"
      ),
      Flag.optional
    ),
    topP: Flag.Finite("top-p").pipe(
      Flag.withDescription(
        "with --temperature: sample from the most likely tokens whose probabilities add up to this; default: 0.95"
      ),
      Flag.filter(
        (value) => value > 0 && value <= 1,
        () => "a number above 0 and at most 1"
      ),
      Flag.optional
    ),
    seed: seed.pipe(Flag.withDescription("with --temperature: seed of the sampling; default: 0"), Flag.optional),
    verify,
    backend,
    arithmetic,
    activations,
    plugins,
    json
  },
  Effect.fn("speedq chat")(function* ({ backend, json, ...request }) {
    yield* refuseUnsampled(request)
    const question = Option.getOrUndefined(request.question)
    yield* refuseJson(json, question)
    const maxTiles = Option.getOrUndefined(request.maxTiles)
    const maxPixels = Option.getOrUndefined(request.maxPixels)
    const temperature = Option.getOrUndefined(request.temperature)
    const topP = Option.getOrElse(request.topP, () => 0.95)
    const seed = Option.getOrElse(request.seed, () => 0)
    const chat = { ...request, maxTiles, maxPixels, temperature, topP, seed }
    const { openPerson, shownHere } = yield* Effect.promise(() => import("../chatTerminal.ts"))
    if (question === undefined) {
      const { converse } = yield* Effect.promise(() => import("../../models/converse.ts"))
      return yield* Effect.scoped(
        Effect.flatMap(openPerson, (person) => converse(request.images, chat, backend, person))
      )
    }
    const { ask } = yield* Effect.promise(() => import("../../models/ask.ts"))
    const shown = json ? { piece: () => Effect.void } : shownHere
    const answered = yield* ask({ ...chat, question }, backend, shown)
    yield* json ? printJson(answered) : print("")
  }, withPlugins)
).pipe(
  Command.withShortDescription("Ask a model about pictures"),
  Command.withDescription(
    "Asks one question about any number of pictures and prints the answer as it is generated. Without a question it reads them from standard input, line by line, and remembers what was said; /help says what else a line can be. MODEL may be a run: its packed export answers, or its only one."
  ),
  Command.withExamples([
    { command: 'speedq chat models/InternVL3-1B --image cat.jpg "What is this?"' },
    { command: 'speedq chat speedq:data/nano/model --image speedq:data/nano/images/0003.png "What is shown?"' },
    { command: "speedq chat runs/nano --image speedq:data/nano/images/0003.png" },
    { command: 'speedq chat runs/1b/model/packed --image a.png --image b.png "What differs?" --max-tiles 6' }
  ])
)
