/** Other processes that compute units of work for this one, and how this one computes units for others. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { FileRecord } from "../checkpoints/savedFile.ts"
import type { UnitKind } from "./UnitKind.ts"

/** Files that go with the units of a batch: whoever has the batch or one of its units can read what another has written. */
export interface UnitFiles {
  /** `write` is given the path, and gives the size and digest of what it wrote. A name counts once in a batch, or in a unit. */
  readonly write: <E, R>(
    name: string,
    write: (path: string) => Effect.Effect<Omit<FileRecord, "file">, E, R>
  ) => Effect.Effect<FileRecord, E, R>
  /** Where a file is on this machine, once its bytes are those of its record. */
  readonly pathOf: (file: FileRecord) => Effect.Effect<string, Error>
  /** Removes a file that nobody needs any more; others stay as long as the batch. */
  readonly drop: (file: FileRecord) => Effect.Effect<void>
}

export interface Unit<out In> {
  /** Tells it from others of its batch, for example `shard-0003`. */
  readonly name: string
  /** In words, for people: `shard 4 of step 12`. */
  readonly title: string
  readonly input: In
}

/** Units that are asked for together, or one after the other. */
export interface UnitBatch {
  readonly files: UnitFiles
  /** How many runners may compute its units now. */
  readonly runners: Effect.Effect<number>
  /**
   * Hands a unit out, at once. What it gives waits for the answer and gives what `take` makes of it; undefined where the unit is to be
   * computed here, which is told. Where `take` fails, the unit is asked for once more.
   */
  readonly ask: <In, Out, A, E, R>(
    kind: UnitKind<In, Out>,
    unit: Unit<In>,
    take: (output: Out) => Effect.Effect<A, E, R>
  ) => Effect.Effect<Effect.Effect<A | undefined, never, R>>
  /** Gives up what is still on its way. */
  readonly end: Effect.Effect<void>
}

export interface BatchOptions {
  /** Directory of the stage whose units they are; without one they are units of the whole work. */
  readonly stage?: string
  /** Letters and a number: `step-00000012`. Files of one batch go when another one of the same directory begins. */
  readonly name: string
  /** In words, for people. */
  readonly title: string
  /** `same`: of runners with the same bits alone. `allowed`: also of others, where the user allows it. */
  readonly bits: "same" | "allowed"
  /** Most bytes of a file that a unit writes. Default: twice those of the files that the batch was given. */
  readonly unitBytes?: number
  /** Whether runners must see the run's directory: its files come and go too fast to be sent each time. */
  readonly needsFolder?: boolean
  /** Whether each unit is an event of its own: where there are few, and each takes long. */
  readonly isTold?: boolean
}

export interface UnitComputers {
  /** Begins a batch; undefined, which is told, where its units must be computed here. */
  readonly begin: (options: BatchOptions) => Effect.Effect<UnitBatch | undefined>
}

/** Others that compute units for this process; nobody unless it is provided. */
export const UnitComputers = Context.Reference<UnitComputers | undefined>("@speedq/pipeline/UnitComputers", {
  defaultValue: () => undefined
})

/** Computes a unit. Fails with what the work fails with. */
export type ComputeUnit<In, Out> = (input: In, files: UnitFiles) => Effect.Effect<Out, Error>

/** Whoever wants to compute units of a stage and none of its steps: is given how, for each kind, when the stage begins. */
export const UnitOffer = Context.Reference<
  (<In, Out>(kind: UnitKind<In, Out>, compute: ComputeUnit<In, Out>) => void) | undefined
>("@speedq/pipeline/UnitOffer", { defaultValue: () => undefined })
