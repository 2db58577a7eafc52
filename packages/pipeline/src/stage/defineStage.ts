/** Makes a kind of stage from its parts; the stages of this package and a user's own are made here alike. */
import { strictDecoder } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { JsonObject } from "effect/Schema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { RecipeInvalid, type RecipeProblem } from "../Errors.ts"
import type { RecipeSettings } from "../settings/RecipeSettings.ts"
import type { AnyArtefact, ErrorOf, ServicesOf, Values } from "./Artefact.ts"
import type {
  BeforeWork,
  Begun,
  Continued,
  Definition,
  PlaceInRecipe,
  Program,
  Session,
  Stage,
  StageContext,
  Versions
} from "./contract.ts"
import * as Forecast from "./Forecast.ts"
import { withoutPolicy } from "./policy.ts"

type Artefacts = ReadonlyArray<AnyArtefact>
type Input<Needs extends Artefacts, Uses extends Artefacts> = Values<Needs> & Partial<Values<Uses>>
type AllErrors<Needs extends Artefacts, Uses extends Artefacts, Gives extends Artefacts> =
  | ErrorOf<Needs>
  | ErrorOf<Uses>
  | ErrorOf<Gives>
type AllServices<Needs extends Artefacts, Uses extends Artefacts, Gives extends Artefacts> =
  | ServicesOf<Needs>
  | ServicesOf<Uses>
  | ServicesOf<Gives>

/**
 * Defines a kind of stage.
 *
 * `needs` are artefacts of earlier stages that must be there, `uses` those that it takes if they are and `takes` does not say that
 * a configuration has no use for them. `config` is a schema whose encoded side is JSON; give options defaults with `option` of
 * @speedq/formats, which also marks those that are policy. `forecast` looks at data and model before any work. `begin` acquires
 * what the steps need, for the life of the stage.
 *
 * A result is reused while its key is the same. The key holds `version`, to be raised when the same configuration gives another
 * result; `config` without policy options; `versions`, those of what else computes the result: quantizers, losses, kernels;
 * `fingerprint`, which names the bytes that the stage reads from outside; and the keys of the artefacts that it takes.
 *
 * When nothing but the fingerprint changed, `continuation` is asked whether what was done goes on with the data as it is now: it
 * says how, or none. Without it the stage runs again.
 */
export const define = <
  Config,
  Encoded,
  S,
  E = never,
  R = never,
  EBegin = never,
  RBegin = never,
  EFingerprint = never,
  EVersions = never,
  EForecast = never,
  EContinuation = never,
  RContinuation = never,
  const Needs extends Artefacts = readonly [],
  const Uses extends Artefacts = readonly [],
  const Gives extends Artefacts = readonly []
>(parts: {
  readonly name: string
  readonly version: number
  readonly config: Schema.Codec<Config, Encoded>
  readonly needs?: Needs
  readonly uses?: Uses
  readonly takes?: (config: Config, artefact: Pick<Uses[number], "name">) => boolean
  readonly gives?: Gives
  readonly fingerprint?: (config: Config, recipe: RecipeSettings) => Effect.Effect<string, EFingerprint, BeforeWork>
  readonly versions?: (config: Config, recipe: RecipeSettings) => Effect.Effect<Versions, EVersions, BeforeWork>
  readonly forecast?: (
    config: Config,
    recipe: RecipeSettings,
    place: PlaceInRecipe
  ) => Effect.Effect<Forecast.Forecast, EForecast, BeforeWork>
  readonly continuation?: (
    config: Config,
    recipe: RecipeSettings,
    begun: Begun
  ) => Effect.Effect<Option.Option<Continued>, EContinuation, RContinuation>
  readonly begin: (
    config: Config,
    input: Input<Needs, Uses>,
    context: StageContext
  ) => Effect.Effect<Program<S, Values<Gives>, E, R>, EBegin, RBegin>
}): Definition<
  Encoded,
  Input<Needs, Uses>,
  Values<Gives>,
  E | EBegin | EFingerprint | EVersions | EForecast | EContinuation | AllErrors<Needs, Uses, Gives>,
  R | RBegin | RContinuation | AllServices<Needs, Uses, Gives>
> => {
  type Errors = E | EBegin | EFingerprint | EVersions | EForecast | EContinuation | AllErrors<Needs, Uses, Gives>
  type Services = R | RBegin | RContinuation | AllServices<Needs, Uses, Gives>
  type Configured = Stage<Input<Needs, Uses>, Values<Gives>, Errors, Services>
  const decodeConfig = strictDecoder(parts.config)
  const encodeConfig = Schema.encodeSync(parts.config)
  const asJson = Schema.decodeUnknownSync(Schema.Json)
  const list = (artefacts: Artefacts = []) => artefacts as ReadonlyArray<AnyArtefact<Errors, Services>>
  const { name, version, fingerprint, versions, forecast, continuation } = parts
  const gives = list(parts.gives)
  const configAst = SchemaAST.toEncoded(parts.config.ast)

  const configure = (config: Config, written: unknown): Configured => {
    const json = asJson(encodeConfig(config))
    return {
      kind: definition,
      name,
      version,
      config: json,
      written: written as JsonObject,
      keyConfig: withoutPolicy(configAst, json),
      needs: list(parts.needs),
      uses: list(parts.uses).filter((artefact) => parts.takes?.(config, artefact) !== false),
      gives,
      fingerprint: (recipe) => fingerprint?.(config, recipe) ?? Effect.succeed(""),
      versions: (recipe) => versions?.(config, recipe) ?? Effect.succeed({}),
      forecast: (recipe, place = { label: name, stages: [] }) =>
        forecast?.(config, recipe, place) ?? Effect.succeed(Forecast.make({})),
      continuation: (recipe, begun) => continuation?.(config, recipe, begun) ?? Effect.succeedNone,
      begin: (input, context) => Effect.map(parts.begin(config, input, context), openSession)
    }
  }
  const decode = (config: unknown) => Result.map(decodeConfig(config), (decoded) => configure(decoded, config))
  const definition: Definition<Encoded, Input<Needs, Uses>, Values<Gives>, Errors, Services> = {
    name,
    version,
    gives,
    configAst,
    decode,
    stage: (config) => {
      const stage = decode(config)
      if (Result.isFailure(stage)) throw new RecipeInvalid({ problems: stage.failure.map(below(name)) })
      return stage.success
    }
  }
  return definition
}

const below =
  (base: string) =>
  ({ path, issue }: RecipeProblem): RecipeProblem => ({ path: path === "" ? base : `${base}.${path}`, issue })

/** Keeps a program's state inside, so that stages of different states can be in one list. */
const openSession = <S, Out, E, R>(program: Program<S, Out, E, R>): Session<Out, E, R> => {
  let state: Option.Option<S> = Option.none()
  const keep = (next: S) => {
    state = Option.some(next)
  }
  const begunWith = (loaded: S, step: number) => {
    keep(loaded)
    return program.standing?.(loaded) ?? step
  }
  const current = () => Option.getOrThrowWith(state, () => new Error("a stage was stepped before it was started"))
  return {
    steps: program.steps,
    start: Effect.map(program.initial, (initial) => begunWith(initial, 0)),
    restore: (stored, step) => Effect.map(program.state.load(stored), (loaded) => begunWith(loaded, step)),
    step: (done) =>
      Effect.suspend(() => {
        const before = current()
        return Effect.map(program.step(before, done), ({ state: next, metrics }) => {
          keep(next)
          return Effect.isEffect(metrics) ? Effect.tapError(metrics, () => Effect.sync(() => keep(before))) : metrics
        })
      }),
    isIntact: () => program.isIntact?.() ?? false,
    saved: () => program.state.save(current()),
    finish: Effect.suspend(() => program.finish(current()))
  }
}
