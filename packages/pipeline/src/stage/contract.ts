/**
 * What a stage is to the engine: one resumable piece of a recipe. It takes artefacts of earlier stages, goes through a known number
 * of steps over a state that can be saved after each of them, and gives artefacts.
 */
import type { AtomicFile } from "@speedq/formats"
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as Result from "effect/Result"
import type { Json, JsonObject } from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import type * as Scope from "effect/Scope"
import type { RecipeProblem, SavedFileDamaged } from "../Errors.ts"
import type { Section } from "../report/Report.ts"
import type { RecipeSettings } from "../settings/RecipeSettings.ts"
import type { AnyArtefact } from "./Artefact.ts"
import type { Codec, Saved, Stored } from "./Codec.ts"
import type * as Forecast from "./Forecast.ts"

/** Numbers of one step, `loss` first among them where there is one. A NaN or infinite one stops the stage. */
export interface Metrics {
  readonly [name: string]: number
}

/** What a step gives. */
export interface Stepped<out S, out E = never, out R = never> {
  readonly state: S
  /**
   * Numbers that a device brings later are an effect. The next step begins before they are asked for; nothing is saved before. Where the
   * effect fails the step did not happen: the state before it goes on, whose tensors the step, and one after it, must have left as they
   * were.
   */
  readonly metrics: Metrics | Effect.Effect<Metrics, E, R>
}

/** All that a stage may use before any work: a plan must not need a compute device. */
export type BeforeWork = FileSystem.FileSystem | Path.Path

/** Versions of what a stage computes with besides its own code, by name: `{ "quantizer bilevel": 1, kernels: 3 }`. */
export interface Versions {
  readonly [name: string]: number | string
}

/** Where a stage runs. */
export interface StageContext {
  readonly recipe: RecipeSettings
  /** The stage's name, made unique in the recipe: `evaluate`, `evaluate-2`. */
  readonly label: string
  /** Derived from the recipe's seed and the label; whole, in [0, 2^32). */
  readonly seed: number
  /** The stage's own directory, for files beside its artefacts. */
  readonly directory: string
  readonly runDirectory: string
  /** The result that this stage takes the place of, where it was superseded just now. */
  readonly before?: Superseded
}

/** A result under another key: its files may hold what need not be computed again. */
export interface Superseded {
  readonly directory: string
  /** The fields of the key that changed: `data`, `config.batch`, `inputs.projector`. */
  readonly changed: ReadonlyArray<string>
}

/** What a stage gives when its steps are done. */
export interface Outcome<out Out> {
  readonly output: Out
  /** Sections for the report. */
  readonly report?: ReadonlyArray<Section>
  /**
   * Files that the stage wrote besides its artefacts, below the run directory; a reused stage must still have them. Where its writer
   * knows the digest of a file, it is not computed again.
   */
  readonly files?: ReadonlyArray<string | AtomicFile.Written>
}

/** The work of a stage, with what it needs acquired: the model, the data, the teacher. */
export interface Program<in out S, out Out, out E = never, out R = never> {
  readonly steps: number
  readonly state: Codec<S, E, R>
  readonly initial: Effect.Effect<S, E, R>
  /**
   * One step; `done` steps came before it. It may change the state in place. Never interrupted in the middle, but where it waits by
   * `Effect.interruptible`: until then the state must be as the step before left it.
   */
  readonly step: (state: S, done: number) => Effect.Effect<Stepped<S, E, R>, E, R>
  /**
   * Asked when a step failed: whether the state is still what the step before left. Then it is saved, so that the run continues
   * there. Without an answer nothing is saved: the failed step may have changed a part of the state.
   */
  readonly isIntact?: () => boolean
  /** How many steps of a state that was loaded or begun with are done: asked where the data behind some of them may have changed. */
  readonly standing?: (state: S) => number
  /** Must leave the state as it is: it is saved again if this fails. */
  readonly finish: (state: S) => Effect.Effect<Outcome<Out>, E, R>
}

/** What a stage had done before the data that it reads changed. */
export interface Begun {
  /** The stage's own directory. */
  readonly directory: string
  /** The newest saved state, open as long as the scope is; undefined when the stage is finished. */
  readonly state: Stored | undefined
}

/** How a stage goes on with data that changed. */
export interface Continued {
  /** In words, for people. */
  readonly detail: string
  /**
   * Whether the result is that of a new start, because the state says which data each part of it was made of: then its key is, too.
   * Otherwise the key has the data before the change and after it.
   */
  readonly likeNew?: boolean
}

/** A running stage, its state kept inside. */
export interface Session<out Out, out E, out R> {
  readonly steps: number
  /** Gives the number of steps that are done. */
  readonly start: Effect.Effect<number, E, R>
  /** The same from what was saved after `step` steps. */
  readonly restore: (stored: Stored, step: number) => Effect.Effect<number, E | SavedFileDamaged, R | Scope.Scope>
  /** Gives its numbers, or an effect of them, which puts the state back if it fails. */
  readonly step: (done: number) => Effect.Effect<Stepped<unknown, E, R>["metrics"], E, R>
  readonly isIntact: () => boolean
  readonly saved: () => Saved<E, R>
  readonly finish: Effect.Effect<Outcome<Out>, E, R>
}

/** A stage among all stages of its recipe, which it may look at before any work. */
export interface PlaceInRecipe {
  readonly label: string
  /** The run's directory, which need not exist yet; undefined where it is not known. */
  readonly directory?: string
  readonly stages: ReadonlyArray<{
    readonly label: string
    /** As its directory is called: `08-qat`. */
    readonly place: string
    readonly stage: Pick<AnyStage, "name" | "config" | "gives">
  }>
}

/** A stage with its configuration: what a recipe is made of. `In` and `Out` are records of artefacts by name. */
export interface Stage<in In, out Out, out E = never, out R = never> {
  /** The kind that it is of: makes such a stage from another configuration. */
  readonly kind: Registered<E, R>
  readonly name: string
  readonly version: number
  /** The configuration with its defaults, as JSON. */
  readonly config: Json
  /** The configuration as it was given, defaults left out. */
  readonly written: JsonObject
  /** The same without policy options: a part of the stage's key. */
  readonly keyConfig: Json
  readonly needs: ReadonlyArray<AnyArtefact<E, R>>
  readonly uses: ReadonlyArray<AnyArtefact<E, R>>
  readonly gives: ReadonlyArray<AnyArtefact<E, R>>
  readonly fingerprint: (recipe: RecipeSettings) => Effect.Effect<string, E, BeforeWork>
  readonly versions: (recipe: RecipeSettings) => Effect.Effect<Versions, E, BeforeWork>
  readonly forecast: (recipe: RecipeSettings, place?: PlaceInRecipe) => Effect.Effect<Forecast.Forecast, E, BeforeWork>
  /** How what was done goes on with data that changed; none where it must be done again. */
  readonly continuation: (
    recipe: RecipeSettings,
    begun: Begun
  ) => Effect.Effect<Option.Option<Continued>, E, R | BeforeWork | Scope.Scope>
  readonly begin: (input: In, context: StageContext) => Effect.Effect<Session<Out, E, R>, E, R | Scope.Scope>
}

/** A stage in a list of stages: its types were checked when the list was made. */
export interface AnyStage<out E = unknown, out R = unknown> extends Stage<never, unknown, E, R> {}

/** What a registry of stages needs to know: enough to decode a recipe in JSON. */
export interface Registered<out E = unknown, out R = unknown> {
  readonly name: string
  readonly gives: ReadonlyArray<AnyArtefact<E, R>>
  /** The configuration's JSON side, for `--set` and for messages. */
  readonly configAst: SchemaAST.AST
  readonly decode: (config: unknown) => Result.Result<AnyStage<E, R>, ReadonlyArray<RecipeProblem>>
}

/** A kind of stage. `stage(config)` makes one; `config` is the JSON that a recipe file would have, defaults left out. */
export interface Definition<in Config, in In, out Out, out E = never, out R = never> extends Registered<E, R> {
  readonly version: number
  /** Throws RecipeInvalid. */
  readonly stage: (config: Config) => Stage<In, Out, E, R>
}
