/** The thread that prepares samples: decodes and tiles images, encodes conversations, collates. Started by SampleWorkers.ts. */
import { parentPort } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { DataUnusable } from "../Errors.ts"
import { openSampleLoader, type SampleLoader } from "./SampleLoader.ts"
import { type Reply, type Request, type Results, ready, stop } from "./workerProtocol.ts"

const port = parentPort
if (port === null) throw new Error("sampleWorker is started as a worker thread, not as a program")

const loaders = new Map<number, { readonly loader: SampleLoader; readonly scope: Scope.Closeable }>()

const loaderOf = (number: number): SampleLoader => {
  const open = loaders.get(number)
  if (open === undefined) throw new Error(`mixture ${number} is not open on this thread`)
  return open.loader
}

const close = (number: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const open = loaders.get(number)
    loaders.delete(number)
    return open === undefined ? Effect.void : Scope.close(open.scope, Exit.void)
  })

const perform = (request: Request): Effect.Effect<Results[keyof Results], DataUnusable> => {
  switch (request._tag) {
    case "open":
      return Effect.suspend(() => {
        const scope = Scope.makeUnsafe()
        return openSampleLoader(request.plan).pipe(
          Scope.provide(scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
          Effect.map((loader) => {
            loaders.set(request.loader, { loader, scope })
            return undefined
          })
        )
      })
    case "batch":
      return Effect.suspend(() => loaderOf(request.loader).batch(request.samples, request.epoch))
    case "lengths":
      return Effect.suspend(() => loaderOf(request.loader).lengths(request.from, request.to))
    case "look":
      return Effect.suspend(() => loaderOf(request.loader).look(request.samples, request.decode))
    case "close":
      return Effect.as(close(request.loader), undefined)
  }
}

/** Memory of a result, which moves to the run instead of being copied. */
const buffersOf = (result: Results[keyof Results]): readonly ArrayBuffer[] => {
  const arrays = result instanceof Int32Array ? [result] : Object.values(result ?? {})
  return arrays.flatMap((value: unknown) =>
    ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
  )
}

/** Ends the thread once nothing is open any more. */
const end = (): void => {
  void Effect.runPromise(Effect.forEach([...loaders.keys()], close, { discard: true })).finally(() => port.close())
}

port.on("message", (request: Request | typeof stop) => {
  if (request === stop) return end()
  const send = (reply: Reply, transfer: readonly ArrayBuffer[] = []) => port.postMessage(reply, [...transfer])
  const { id } = request
  void Effect.runPromise(
    Effect.match(perform(request), {
      onSuccess: (result) => send({ id, _tag: "done", result }, buffersOf(result)),
      onFailure: ({ reason, fix }) => send({ id, _tag: "unusable", reason, fix })
    })
  ).catch((error: unknown) => send({ id, _tag: "defect", reason: String(error) }))
})
port.postMessage(ready)
