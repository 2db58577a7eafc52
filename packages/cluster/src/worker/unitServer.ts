/** Computes units of work in a process of its own: a computation blocks it, and the runner beside it goes on to renew its locks. */

import { join } from "node:path"
import { Build, cellUnit, type FileRecord, monotonicMillis, type UnitFiles, verifyFile } from "@speedq/pipeline"
import { Extensions, pluginIdentity, questionUnit } from "@speedq/stages"
import { type BackendName, openBackend } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { UnitFailed } from "../Errors.ts"
import { notedFiles } from "../exchange/unitFiles.ts"
import { differenceOf, type Identity } from "../identity/Identity.ts"
import { numbersOf } from "../identity/numbersOf.ts"
import { fileName } from "../units/exchange.ts"
import { computeCell } from "./computeCell.ts"
import { openQuestions } from "./openQuestions.ts"
import { openRunStage } from "./openRunStage.ts"
import type { UnitOrder } from "./UnitOrder.ts"
import { UnitRpcs } from "./UnitRpcs.ts"

/** Any failure as the reason of a unit's. A mistake of the program too: the coordinator computes the unit then, and meets it. */
const asUnitFailed = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, UnitFailed, R> =>
  Effect.catchCause(self, (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
    const error = Cause.squash(cause)
    return Effect.fail(new UnitFailed({ reason: error instanceof Error ? error.message : String(error) }))
  })

/** What a backend is, found out once. */
const identify = (backend: BackendName): Effect.Effect<Identity> =>
  Effect.gen(function* () {
    const opened = yield* Effect.acquireRelease(
      Effect.promise(() => openBackend(backend)),
      (opened) => Effect.promise(() => opened.close())
    )
    const numbers = yield* Effect.promise(() => numbersOf(opened))
    return { build: yield* Build, backend: opened.name, numbers, plugins: pluginIdentity(yield* Extensions) }
  }).pipe(Effect.scoped)

interface ServerOptions {
  readonly backend: BackendName
  /** Name of the runner, for its files and for people. */
  readonly runner: string
  /** For what it keeps of a run while it computes for it. */
  readonly folder: string
}

/**
 * The files of a unit on this machine. Each runner writes under a name of its own: two may compute one unit, and neither must touch the
 * other's file.
 */
const filesOfUnit = (
  { request: { batch, name }, written, fetched }: UnitOrder,
  runner: string,
  services: Context.Context<FileSystem.FileSystem | Path.Path>
) =>
  notedFiles({
    written: (file) => join(written, file),
    nameOf: (own) => fileName(batch, name, runner, own),
    others: (record: FileRecord) => {
      const path = fetched === undefined ? join(written, record.file) : fetched[record.sha256]
      if (path === undefined) return Effect.fail(new UnitFailed({ reason: `${record.file} was not fetched` }))
      // What was fetched has been looked at.
      return fetched === undefined
        ? Effect.as(Effect.provideContext(verifyFile(path, record), services), path)
        : Effect.succeed(path)
    }
  })

type Stage = Effect.Success<ReturnType<typeof openRunStage>>

/** Handlers of UnitRpcs: one unit after the other, in one stage that stays open until a unit of another one comes. */
export const unitServer = ({ backend, runner, folder }: ServerOptions) =>
  UnitRpcs.toLayer(
    Effect.gen(function* () {
      const one = yield* Semaphore.make(1)
      const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
      const identity = yield* Effect.cached(identify(backend))
      let opened: { readonly key: string; readonly scope: Scope.Closeable; readonly kinds: Stage } | undefined
      const close = Effect.suspend(() => {
        const scope = opened?.scope
        opened = undefined
        return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
      })
      yield* Effect.addFinalizer(() => close)

      /** What is open under this key, or is opened in place of what was. */
      const kindsOf = Effect.fnUntraced(function* <E, R>(key: string, open: Effect.Effect<Stage, E, R | Scope.Scope>) {
        if (opened?.key === key) return opened.kinds
        yield* close
        const scope = yield* Scope.make()
        const kinds = yield* open.pipe(
          Effect.provideService(Scope.Scope, scope),
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
        opened = { key, scope, kinds }
        return kinds
      })

      const outputOf = Effect.fnUntraced(function* ({ request, directory }: UnitOrder, files: UnitFiles) {
        const { run, stage, kind, input } = request
        if (stage !== null) {
          const open = openRunStage({ run, directory, stage }, { backend, folder })
          const compute = (yield* kindsOf(JSON.stringify([run, stage]), open)).get(kind)
          if (compute !== undefined) return yield* compute(input, files)
        } else if (kind === questionUnit.name) {
          const { examination } = yield* questionUnit.decodeInput(input)
          const compute = (yield* kindsOf(JSON.stringify(examination), openQuestions(examination, backend))).get(kind)
          if (compute !== undefined) return yield* compute(input, files)
        } else if (kind === cellUnit.name) {
          yield* close
          return cellUnit.encodeOutput(yield* computeCell(run, yield* cellUnit.decodeInput(input), backend))
        }
        const reason = `${stage === null ? run : `stage ${stage.place} of ${run}`} has no units of the kind "${kind}"`
        return yield* new UnitFailed({ reason })
      })

      const compute = Effect.fnUntraced(function* (order: UnitOrder) {
        const { request } = order
        const startedAt = yield* monotonicMillis
        const own = yield* identity
        const difference = differenceOf(request.identity, own, request.isLoose)
        if (difference !== undefined) {
          const { field, ofRun, ofRunner } = difference
          return yield* new UnitFailed({ reason: `the run has the ${field} ${ofRun}, the runner ${ofRunner}` })
        }
        const { files, records } = filesOfUnit(order, runner, services)
        const output = yield* outputOf(order, files)
        return {
          output,
          files: records,
          runner,
          backend: own.backend,
          milliseconds: (yield* monotonicMillis) - startedAt
        }
      })

      return UnitRpcs.of({
        Identify: () => asUnitFailed(identity),
        Answer: () => Effect.void,
        Compute: (order) => one.withPermits(1)(asUnitFailed(compute(order)))
      })
    })
  )
