/** The directory of a run whose lock another process holds, for what is read of it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Events } from "../events/Events.ts"
import { RunDirectory } from "./RunDirectory.ts"

const notOurs = () => Effect.die(new Error("only the process that holds a run's directory writes in it"))

/** Nothing can be written through it, and what happens is told to nobody. */
export const heldElsewhere = (run: string) =>
  Layer.effect(
    RunDirectory,
    Effect.map(Effect.scope, (scope) =>
      RunDirectory.of({ path: run, scope, verify: Effect.void, record: notOurs, expect: notOurs })
    )
  ).pipe(Layer.provideMerge(Events.layer))
