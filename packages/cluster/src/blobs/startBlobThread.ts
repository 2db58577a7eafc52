/** Starts the thread that serves a run's files, and talks with it. */
import { Worker } from "node:worker_threads"
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcClient from "effect/rpc/RpcClient"
import { BlobRpcs } from "./BlobRpcs.ts"
import { type Listening, urlOf } from "./listening.ts"

/** What the thread runs: the compiled module; sources need a loader. Tests that follow a build spare it. */
const program = ((): { readonly entry: string; readonly execArgv: string[] } => {
  if (!import.meta.url.endsWith(".ts")) return { entry: "./blobThread.js", execArgv: [] }
  if (process.env["SPEEDQ_TEST_BUILT"] === "1") return { entry: "../../dist/blobs/blobThread.js", execArgv: [] }
  return { entry: "./sourceThread.mjs", execArgv: ["-C", "@speedq/source"] }
})()

/** Listens for the life of the scope. Fails with ListenRefused, and with what a thread fails with that does not start. */
export const startBlobThread = Effect.fn("startBlobThread")(function* ({ host, port, token }: Listening) {
  const spawn = () => new Worker(new URL(program.entry, import.meta.url), { execArgv: program.execArgv })
  const protocol = yield* Layer.build(
    RpcClient.layerProtocolWorker({ size: 1, concurrency: 16 }).pipe(Layer.provide(NodeWorker.layer(spawn)))
  )
  const thread = yield* RpcClient.make(BlobRpcs).pipe(Effect.provideContext(protocol))
  return { url: urlOf({ host }, yield* thread.Listen({ host, port, token })), offer: thread.Offer }
})
