/** Toy stages with real states: weights and moments in typed arrays, a random stream, a data cursor. */
import { AtomicFile, bytesOf, FileFailed, makeDirectories, option, type ReadError, typedView } from "@speedq/formats"
import { Artefact, Codec, emit, Forecast, RunEvents, Stage } from "@speedq/pipeline"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { type Lcg, nextUniform } from "./Lcg.ts"

export interface Weights {
  readonly values: Float32Array
}

const arrayCodec = Codec.make({
  data: Schema.Struct({ length: Schema.Int }),
  save: ({ values }: Weights) => ({
    data: { length: values.length },
    tensors: [{ name: "values", dtype: "F32", shape: [values.length], data: Effect.succeed(bytesOf(values)) }]
  }),
  load: (_data, tensors) =>
    Effect.map(tensors.read("values"), (bytes): Weights => ({ values: typedView("F32", bytes) }))
})

export const Vit = Artefact.make("vit", "a quantized vision tower", arrayCodec)
export const Projector = Artefact.make("projector", "a projector trained for the quantized vision tower", arrayCodec)
export const Exported = Artefact.make(
  "exported",
  "an exported model",
  Codec.json(Schema.Struct({ file: Schema.String, sum: Schema.Number }))
)

interface State {
  readonly values: Float32Array
  readonly moments: Float32Array
  readonly random: Lcg
  readonly losses: Array<number>
}

const stateCodec = Codec.make({
  data: Schema.Struct({ random: Schema.Number, losses: Schema.Array(Schema.Number) }),
  save: ({ values, moments, random, losses }: State) => ({
    data: { random: random.state, losses },
    tensors: [
      { name: "values", dtype: "F32", shape: [values.length], data: Effect.succeed(bytesOf(values)) },
      // In chunks, as a state too large for one more copy would be.
      { name: "moments", dtype: "F32", shape: [moments.length], data: Effect.sync(() => chunks(bytesOf(moments))) }
    ]
  }),
  load: ({ random, losses }, tensors) =>
    Effect.gen(function* () {
      const values = typedView("F32", yield* tensors.read("values"))
      const moments = typedView("F32", yield* tensors.read("moments"))
      return { values, moments, random: { state: random }, losses: [...losses] } satisfies State
    })
})

function* chunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}

export class ToyFailed extends Schema.TaggedError<ToyFailed>()("ToyFailed", { step: Schema.Int }) {
  override get message() {
    return `the toy was told to fail at step ${this.step}`
  }
}

/** Makes the stage of a label fail at a step: from outside, so that its key stays the same. */
export const Sabotage = Context.Reference<{ readonly label: string; readonly step: number } | undefined>(
  "toy/Sabotage",
  {
    defaultValue: () => undefined
  }
)

const Training = Schema.Struct({
  steps: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10))),
  floats: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1000))),
  rate: Schema.Number.check(Schema.isGreaterThan(0)).pipe(Schema.withDecodingDefaultKey(Effect.succeed(0.1))),
  pause: option(Schema.Number, 0, {
    description: "Milliseconds that a step takes besides its arithmetic.",
    policy: true
  }),
  nanAt: Schema.optionalKey(Schema.Int)
})
type Training = typeof Training.Type

/** Momentum descent towards random targets: every bit of the result depends on every step and every random number. */
const train = <Out, R>(
  { steps, floats, rate, pause, nanAt }: Training,
  start: (index: number) => number,
  context: Stage.StageContext,
  finish: (state: State) => Effect.Effect<Out, never, R>
): Stage.Program<State, Out, ToyFailed | ReadError, R> => ({
  steps,
  state: stateCodec,
  initial: Effect.sync(() => ({
    values: Float32Array.from({ length: floats }, (_, index) => start(index)),
    moments: new Float32Array(floats),
    random: { state: context.seed },
    losses: []
  })),
  step: (state, done) =>
    Effect.gen(function* () {
      const sabotage = yield* Sabotage
      if (sabotage?.label === context.label && sabotage.step === done + 1) {
        return yield* new ToyFailed({ step: sabotage.step })
      }
      if (pause > 0) yield* Effect.sleep(pause)
      const { values, moments, random, losses } = state
      const target = nextUniform(random)
      let loss = 0
      for (let index = 0; index < values.length; index++) {
        const error = values[index]! - target
        moments[index] = moments[index]! * 0.9 + error
        values[index] = values[index]! - rate * moments[index]!
        loss += error * error
      }
      loss = nanAt === done + 1 ? Number.NaN : loss / values.length
      losses.push(loss)
      return { state, metrics: { loss } }
    }),
  // It fails before it changes anything.
  isIntact: () => true,
  finish: (state) => Effect.map(finish(state), (output) => ({ output }))
})

export const ToyVit = Stage.define({
  name: "toy-vit",
  version: 1,
  config: Training,
  gives: [Vit],
  forecast: ({ floats }) =>
    Effect.succeed(
      Forecast.make({
        obstacles: Forecast.indivisible("group", 4, [{ name: "values", size: floats }]),
        memoryBytes: 8 * floats,
        checkpointBytes: 8 * floats,
        outputBytes: 4 * floats,
        seconds: 1
      })
    ),
  begin: (config, _input, context) =>
    Effect.succeed(
      train(
        config,
        (index) => (index % 7) / 7,
        context,
        ({ values }) =>
          emit(RunEvents.LayerQuantized, {
            layer: "values",
            quantizer: "toy",
            bits: 2,
            errorBefore: 1,
            errorAfter: 0.5,
            bytes: values.byteLength
          }).pipe(Effect.as({ vit: { values } }))
      )
    )
})

export const ToyProjector = Stage.define({
  name: "toy-projector",
  version: 1,
  config: Training,
  needs: [Vit],
  gives: [Projector],
  begin: (config, { vit }, context) =>
    Effect.succeed(
      train(
        config,
        (index) => vit.values[index % vit.values.length]!,
        context,
        ({ values }) => Effect.succeed({ projector: { values } })
      )
    )
})

const made = (directory: string) =>
  Effect.tryPromise({
    try: () => makeDirectories(directory),
    catch: (error) => {
      const { code = "", message } = error as NodeJS.ErrnoException
      return new FileFailed({ file: directory, operation: "create", code, reason: message })
    }
  })

/** Writes `model/weights.bin`; has no steps. */
export const ToyExport = Stage.define({
  name: "toy-export",
  version: 1,
  config: Schema.Struct({ name: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("weights"))) }),
  needs: [Projector],
  uses: [Vit],
  gives: [Exported],
  begin: ({ name }, { projector, vit }, { runDirectory }) =>
    Effect.gen(function* () {
      const path = yield* Path.Path
      const file = path.join(runDirectory, "model", `${name}.bin`)
      return Stage.once(
        Effect.gen(function* () {
          yield* made(path.dirname(file))
          yield* AtomicFile.writeWhole(file, bytesOf(projector.values))
          const sum = projector.values.reduce((total, value) => total + value, vit?.values[0] ?? 0)
          return { output: { exported: { file: `model/${name}.bin`, sum } }, files: [file] }
        })
      )
    })
})

export const toyStages = [ToyVit, ToyProjector, ToyExport] as const
