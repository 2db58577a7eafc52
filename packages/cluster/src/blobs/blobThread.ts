/** The thread that serves a run's files: it answers also while the run computes, and digests what comes beside it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Scope from "effect/Scope"
import { BlobRpcs } from "./BlobRpcs.ts"
import { makeBlobs, serveBlobs } from "./blobServer.ts"

const handlers = BlobRpcs.toLayer(
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const services = yield* Effect.context<never>()
    let blobs: ReturnType<typeof makeBlobs> | undefined
    return BlobRpcs.of({
      Listen: ({ token, ...at }) => {
        blobs = makeBlobs(token)
        return Effect.provideContext(Scope.provide(serveBlobs(at, blobs), scope), services)
      },
      Offer: (offer) => Effect.sync(() => blobs?.offer(offer))
    })
  })
)

Effect.runFork(
  RpcServer.layer(BlobRpcs).pipe(
    Layer.provide(handlers),
    Layer.provide(RpcServer.layerProtocolWorkerRunner),
    Layer.provide(NodeWorkerRunner.layer),
    Layer.provide(NodeServices.layer),
    Layer.launch
  )
)
