/** The engine: a worker that keeps models, opens one, and answers about pictures. One request at a time, but for what stops it. */
import { findAdapter, Random } from "@speedq/tensors"
import { greedy, imageTiles, makeConversation, nucleus, type Sampler, type Tiles } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ModelIndex } from "../model/ModelIndex.ts"
import { NotAModel } from "./Errors.ts"
import type { Event, KeptModel, Request, Sampling, Told } from "./messages.ts"
import { openBlobs } from "./openModel.ts"
import { decodePicture } from "./picture/decodePicture.ts"
import { collectSource, findModels, forgetModel } from "./store/modelSources.ts"

const tell = (event: Event, transfer: Transferable[] = []): void => self.postMessage(event, { transfer })

const toldOf = (error: unknown): Told => {
  const { _tag: tag = "Error", message = String(error) } = error as {
    readonly _tag?: string
    readonly message?: string
  }
  return { tag, message }
}

const loading = (file: string, done: number, total: number): void => tell({ kind: "loading", file, done, total })

const look = Effect.fnUntraced(function* (page: string, folder: string) {
  const models = yield* findModels(page, folder)
  const graphics = yield* Effect.promise(findAdapter)
  tell({ kind: "found", ...models, graphics })
})

const noModel = (reason: string) => new NotAModel({ files: [], reason })

type Model = Effect.Success<ReturnType<typeof openBlobs>>

/** The model that is open, and what is said about it. */
interface Session {
  readonly scope: Scope.Closeable
  readonly model: Model
  /** Chooses what tokens of the next answer are rounded to; what was read before stays as it was read. */
  readonly use: (weights: Model["weights"]) => void
  readonly conversation: ReturnType<typeof makeConversation>
}
let session: Session | undefined
const pictures = new Map<number, Tiles>()
/** What can be stopped now. */
let working: Fiber.Fiber<void, unknown> | undefined
/** The request that came last of those that can be stopped, and those that were, also before their turn came. */
let asked: Request | undefined
const stopped = new WeakSet<Request>()

/** Works until it is done, has failed, or is stopped. */
const untilStopped = Effect.fnUntraced(function* <E>(request: Request, work: Effect.Effect<void, E>) {
  const fiber = yield* Effect.forkChild(stopped.has(request) ? Effect.interrupt : work)
  working = fiber
  const exit = yield* Fiber.await(fiber)
  working = undefined
  return exit
})

const wasStopped = (exit: Exit.Exit<void, unknown>): boolean =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)

const closeSession = Effect.suspend(() => {
  const closing = session
  session = undefined
  pictures.clear()
  return closing === undefined ? Effect.void : Scope.close(closing.scope, Exit.void)
})

/** Weights are read at one go: a stop that comes meanwhile is heard in the pause after them. */
const openSession = Effect.fnUntraced(function* ({ page, source, keep, computer }: Request & { kind: "open" }) {
  const { index, files, opened, refused } = yield* collectSource(page, source, keep, loading)
  const scope = yield* Scope.make()
  return yield* Effect.uninterruptibleMask((restore) =>
    restore(
      Scope.provide(openBlobs(files, computer), scope).pipe(Effect.tap(Effect.sleep(1)), Effect.tap(opened))
    ).pipe(
      Effect.onError(() => Effect.andThen(Scope.close(scope, Exit.void), refused)),
      Effect.map((model) => beginSession(index, model, scope, keep || source.kind === "kept"))
    )
  )
})

const beginSession = ({ name }: ModelIndex, model: Model, scope: Scope.Closeable, isKept: boolean): void => {
  let used = model.weights
  const conversation = makeConversation({
    backend: model.backend,
    directory: model.directory,
    get weights() {
      return used
    }
  })
  const use = (weights: Model["weights"]) => {
    used = weights
  }
  session = { scope, model, conversation, use }
  tell({
    kind: "opened",
    model: {
      name,
      place: model.place,
      weightBytes: model.backend.usage().bytes,
      isKept,
      hasCodes: model.int8 !== undefined
    }
  })
}

const open = Effect.fnUntraced(function* (request: Request & { kind: "open" }) {
  yield* closeSession
  const exit = yield* untilStopped(request, openSession(request))
  if (wasStopped(exit)) tell({ kind: "notOpened" })
  else yield* exit
})

const addPicture = Effect.fnUntraced(function* (id: number, name: string, blob: Blob) {
  if (session === undefined) return
  const { image } = session.model.directory
  const picture = yield* decodePicture(name, blob)
  const tiles = imageTiles(picture, image)
  pictures.set(id, tiles)
  const { width, height } = picture
  const data = Uint8Array.from(tiles.data)
  tell({ kind: "pictureReady", picture: { id, width, height, ...tiles, data } }, [data.buffer])
})

const samplerOf = (sampling: Sampling | undefined): Sampler =>
  sampling === undefined ? greedy : nucleus({ ...sampling, random: Random.make(sampling.seed, "chat") })

const ask = Effect.fnUntraced(function* (request: Request & { kind: "ask" }) {
  const { question, pictures: ids, maxNewTokens, activations, sampling } = request
  if (session === undefined) return yield* noModel("no model is open")
  const { conversation, model, use } = session
  const weights = activations === "int8" ? model.int8 : model.weights
  if (weights === undefined) return yield* noModel("its weights are no codes, and int8 activations are for codes")
  use(weights)
  const before = conversation.turns().length
  const images = ids.flatMap((id) => pictures.get(id) ?? [])
  const begun = performance.now()
  let [tokens, first] = [0, begun]
  const pieces = conversation.ask({
    question,
    images,
    maxNewTokens,
    sampler: samplerOf(sampling),
    watch: ({ tiles, of, tokens: length }) => tell({ kind: "preparing", tiles, of, tokens: length }),
    onToken: () => {
      if (tokens++ === 0) first = performance.now()
    }
  })
  const answer = Stream.runForEach(pieces, (text) => Effect.sync(() => tell({ kind: "piece", text })))
  const exit = yield* untilStopped(request, answer)
  const isAsked = conversation.turns().length > before
  if (isAsked) for (const id of ids) pictures.delete(id)
  else tell({ kind: "notAsked" })
  if (!wasStopped(exit)) yield* exit
  if (!isAsked) return
  const ended = performance.now()
  const { bytes: memoryBytes, peakBytes } = model.backend.usage()
  const waitedSeconds = ((tokens === 0 ? ended : first) - begun) / 1000
  tell({
    kind: "answered",
    answer: { tokens, waitedSeconds, seconds: tokens === 0 ? 0 : (ended - first) / 1000, memoryBytes, peakBytes }
  })
})

/** A model that cannot be removed stays open. */
const forget = Effect.fnUntraced(function* (page: string, which: KeptModel) {
  yield* forgetModel(page, which)
  yield* closeSession
  tell({ kind: "forgotten" })
})

const failed = (during: (Event & { kind: "failed" })["during"]) => (error: unknown) =>
  Effect.sync(() => tell({ kind: "failed", during, error: toldOf(error) }))

/** What is wrong, a mistake of ours included, is told. */
const telling = <E>(work: Effect.Effect<void, E>, tellError: (error: unknown) => Effect.Effect<void>) =>
  work.pipe(
    Effect.sandbox,
    Effect.catch((cause) => tellError(Cause.squash(cause)))
  )

const obey = (request: Request): Effect.Effect<void> => {
  switch (request.kind) {
    case "look":
      return telling(look(request.page, request.folder), failed("look"))
    case "open":
      return telling(open(request), failed("open"))
    case "forget":
      return telling(forget(request.page, request.which), failed("forget"))
    case "close":
      return closeSession
    case "picture":
      return telling(addPicture(request.id, request.name, request.blob), (error) =>
        Effect.sync(() => tell({ kind: "pictureFailed", id: request.id, error: toldOf(error) }))
      )
    case "removePicture":
      return Effect.sync(() => pictures.delete(request.id))
    case "ask":
      return telling(ask(request), failed("ask"))
    case "reset":
      return Effect.sync(() => session?.conversation.reset())
    case "stop":
      return Effect.void
  }
}

let last: Promise<void> = Promise.resolve()

self.onmessage = ({ data }: MessageEvent<Request>) => {
  if (data.kind === "stop") {
    if (asked !== undefined) stopped.add(asked)
    if (working !== undefined) Effect.runFork(Fiber.interrupt(working))
    return
  }
  if (data.kind === "ask" || data.kind === "open") asked = data
  last = last.then(() => Effect.runPromise(obey(data)))
}
