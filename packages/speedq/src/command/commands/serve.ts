/** `speedq serve`: a model for programs that speak OpenAI's chat completions API. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { defaulted } from "../flagDefaults.ts"
import { activations, arithmetic, backend, count, maxPixels, maxTiles, model, verify } from "../flags.ts"
import { print } from "../output.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const serve = Command.make(
  "serve",
  {
    model,
    port: Flag.Int("port").pipe(
      Flag.withMetavar("PORT"),
      Flag.filter(
        (port) => port >= 0 && port < 2 ** 16,
        () => "a whole number from 0, which takes a free one, to 65535"
      ),
      defaulted("port of 127.0.0.1 to listen on; 0 takes a free one", 8080)
    ),
    maxNewTokens: count("max-new-tokens").pipe(defaulted("longest answer, in tokens, where a request says none", 1024)),
    maxTiles,
    maxPixels,
    verify,
    backend,
    arithmetic,
    activations,
    plugins
  },
  Effect.fn("speedq serve")(function* ({ backend, maxTiles, maxPixels, ...request }) {
    const { serveModel } = yield* Effect.promise(() => import("../../serve/serveModel.ts"))
    const limits = { maxTiles: Option.getOrUndefined(maxTiles), maxPixels: Option.getOrUndefined(maxPixels) }
    yield* serveModel({ ...request, ...limits }, backend, print)
  }, withPlugins)
).pipe(
  Command.withShortDescription("Serve a model to programs of this machine"),
  Command.withDescription(
    "Answers OpenAI's chat completions API on loopback: POST /v1/chat/completions with texts and pictures (as data: URLs), whole or streamed, and GET /v1/models. One question at a time; without a temperature it takes the most likely token. Of a folder that speedq export --format web wrote, it also serves the page, which runs the model in the browser. Fetches nothing, and refuses what it cannot do. Ctrl-C ends it."
  ),
  Command.withExamples([
    { command: "speedq serve runs/1b/model/packed" },
    { command: "speedq serve runs/nano --port 0" },
    { command: "speedq serve site", description: "a folder of speedq export --format web: its page, too" }
  ])
)
