/** A user's own quantizers, losses, export formats, benchmarks and stages beside ours, and what is wrong with some. */
import { describe, it } from "@effect/vitest"
import { crossEntropyLoss, type Loss } from "@speedq/distillation"
import { type Benchmark, nano, type Row, UnscorableRow } from "@speedq/evaluation"
import { type Exporter, packedExporter } from "@speedq/exports"
import { Codec, failingWithRaised, Stage } from "@speedq/pipeline"
import { noneQuantizer, type Quantizer } from "@speedq/quantizers"
import {
  builtIn,
  Extensions,
  extended,
  knownStages,
  missingPlugins,
  type Plugin,
  PluginInvalid,
  pluginSurroundings,
  recordedPlugins,
  withExtensions
} from "@speedq/stages"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { PluginFailed } from "../src/extensions/PluginFailed.ts"

const quantizer = { ...noneQuantizer, id: "mine", version: 2 }
const stage = Stage.define({
  name: "my-stage",
  version: 1,
  config: Schema.Struct({}),
  begin: () => Effect.succeed(Stage.once(Effect.succeed({ output: {} })))
})
const plugin: Plugin = {
  name: "mine.ts",
  quantizers: [quantizer],
  losses: [{ ...crossEntropyLoss, id: "my-loss" }],
  exporters: [{ ...packedExporter, id: "my-format" }],
  benchmarks: [{ ...nano, name: "my-benchmark" }],
  stages: [stage]
}

/** What is wrong with a plugin, whatever TypeScript says of it. */
const refused = (wrong: object, ...others: readonly Plugin[]): PluginInvalid => {
  try {
    extended(...others, { name: "wrong.ts", ...wrong } as Plugin)
  } catch (error) {
    assert.instanceOf(error, PluginInvalid)
    assert.strictEqual(error.file, "wrong.ts")
    return error
  }
  return assert.fail("nothing is wrong with it")
}

describe("extensions", () => {
  it.effect("stand beside ours for everything that is provided with them, and nowhere else", () =>
    Effect.gen(function* () {
      const lists = yield* Effect.provide(Extensions, withExtensions(plugin))
      for (const list of ["quantizers", "losses", "exporters", "benchmarks"] as const) {
        assert.lengthOf(lists[list], builtIn[list].length + 1, list)
      }
      const stages = yield* Effect.provide(knownStages, withExtensions(plugin))
      assert.includeMembers(
        stages.map(({ name }) => name),
        ["qat", "my-stage"]
      )
      assert.strictEqual(yield* Extensions, builtIn)
    })
  )

  it.effect("add up: layers within each other, and several plugins", () =>
    Effect.gen(function* () {
      const outer = withExtensions({ quantizers: [quantizer] })
      const inner = withExtensions({ quantizers: [{ ...quantizer, id: "other" }] })
      const { quantizers } = yield* Effect.provide(Effect.provide(Extensions, inner), outer)
      assert.deepStrictEqual(
        quantizers.slice(-2).map(({ id }) => id),
        ["mine", "other"]
      )
    })
  )

  it("give quantizers the name of the plugin, and leave the rest of them as it is", () => {
    class Own {
      readonly id = "own"
      readonly version = 1
      readonly Config = noneQuantizer.Config
      readonly #bits = 16
      bitsPerWeight() {
        return this.#bits
      }
      obstacle = () => undefined
      fakeQuantize = noneQuantizer.fakeQuantize
      stored = noneQuantizer.stored
      quantize = noneQuantizer.quantize
      dequantize = noneQuantizer.dequantize
      get rowwise() {
        return this.id === "own"
      }
    }
    const [own, named] = extended({
      name: "mine.ts",
      quantizers: [new Own(), { ...quantizer, plugin: "their package" }]
    }).quantizers.slice(-2)
    assert.deepStrictEqual([own!.plugin, own!.id, own!.rowwise, own!.bitsPerWeight({})], ["mine.ts", "own", true, 16])
    assert.strictEqual(named!.plugin, "their package")
    assert.isUndefined(extended({ quantizers: [quantizer] }).quantizers.at(-1)!.plugin)
  })

  it("that throw, or give what they must not, are one error that names plugin, part, method and place", () => {
    const boom = () => {
      throw new TypeError("boom")
    }
    const unscorable = new UnscorableRow({} as Row, "answer", "no answer")
    const part = { name: "x", needsTeacher: false, rowWeights: boom, rows: () => 5 as never }
    const lists = extended({
      name: "mine.ts",
      quantizers: [{ ...quantizer, bitsPerWeight: () => Number.NaN, fakeQuantize: () => 5 as never, stored: boom }],
      losses: [{ ...crossEntropyLoss, id: "my-loss", rowLoss: () => part }],
      exporters: [{ ...packedExporter, id: "my-format", bytes: boom, write: () => Effect.sync(boom) }],
      benchmarks: [
        {
          ...nano,
          name: "my-benchmark",
          prompt: boom,
          mark: () => {
            throw unscorable
          }
        }
      ]
    })
    const [own, loss, format, benchmark] = [lists.quantizers, lists.losses, lists.exporters, lists.benchmarks].map(
      (list) => list.at(-1) as never
    ) as unknown as [Quantizer, Loss, Exporter, Benchmark]
    const rowLoss = loss.rowLoss({}, { confidence: 1 })
    const saysOf = (call: () => unknown): string => {
      try {
        call()
      } catch (error) {
        assert.instanceOf(error, PluginFailed)
        return error.message
      }
      return assert.fail("nothing is thrown")
    }
    const thrown = (what: string, method: string) =>
      new RegExp(
        `^${what} of the plugin mine\\.ts: ${method} threw "boom" at .*extensions\\.test\\.ts:\\d+:\\d+; correct`
      )
    const ofQuantizer = 'quantizer "mine" of the plugin mine.ts'
    assert.strictEqual(
      saysOf(() => own.bitsPerWeight({})),
      `${ofQuantizer}: bitsPerWeight gave NaN, which is no count; correct the plugin`
    )
    assert.include(
      saysOf(() => own.fakeQuantize({}, {} as never)),
      `${ofQuantizer}: fakeQuantize gave 5, which is no tensor`
    )
    assert.match(
      saysOf(() => own.stored({}, [2, 2])),
      thrown('quantizer "mine"', "stored")
    )
    assert.match(
      saysOf(() => rowLoss.rowWeights({} as never)),
      thrown('loss "my-loss"', "rowWeights")
    )
    assert.include(
      saysOf(() => rowLoss.rows({} as never)),
      "rows gave 5, which is no tensor"
    )
    assert.match(
      saysOf(() => format.bytes({}, {} as never)),
      thrown('export format "my-format"', "bytes")
    )
    assert.match(
      saysOf(() => Effect.runSync(format.write({}, {} as never))),
      thrown('export format "my-format"', "write")
    )
    assert.match(
      saysOf(() => benchmark.prompt({} as never)),
      thrown('benchmark "my-benchmark"', "prompt")
    )
    assert.throws(() => benchmark.mark([], {} as never), unscorable)
  })

  it("name a stage that throws: when it is forecast, begun, stepped or finished", () => {
    const boom = (): never => {
      throw new TypeError("boom")
    }
    const program = Stage.program({
      steps: 1,
      state: Codec.nothing,
      initial: Effect.void,
      step: (): Effect.Effect<{ readonly state: undefined; readonly metrics: Stage.Metrics }> => boom(),
      finish: (): Effect.Effect<Stage.Outcome<object>> => Effect.sync(boom)
    })
    const own = Stage.define({
      name: "throwing",
      version: 1,
      config: Schema.Struct({ late: Schema.Boolean }),
      versions: () => 5 as never,
      forecast: boom,
      begin: ({ late }) => (late ? Effect.succeed(program) : boom())
    })
    const { stages } = extended({ name: "mine.ts", stages: [own] })
    const decoded = (late: boolean) => Result.getOrThrow(stages.at(-1)!.decode({ late })) as unknown as Stage.AnyStage
    const messageOf = (run: () => Effect.Effect<unknown, unknown, unknown>): string => {
      const exit = Effect.runSyncExit(failingWithRaised(Effect.suspend(run)) as Effect.Effect<unknown, unknown>)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : assert.fail("nothing is thrown")
      assert.instanceOf(error, PluginFailed)
      return error.message
    }
    const thrown = (method: string) =>
      new RegExp(`^stage "throwing" of the plugin mine\\.ts: ${method} threw "boom" at .*extensions\\.test\\.ts:\\d+`)
    const asked = decoded(true)
    assert.match(
      messageOf(() => asked.forecast({} as never)),
      thrown("forecast")
    )
    assert.include(
      messageOf(() => asked.versions({} as never)),
      "versions gave 5, which is no effect"
    )
    const begun = (late: boolean) =>
      Effect.scoped(decoded(late).begin({} as never, {} as never)) as Effect.Effect<
        Stage.Session<unknown, unknown, never>
      >
    assert.match(
      messageOf(() => begun(false)),
      thrown("begin")
    )
    const session = Effect.runSync(begun(true))
    assert.strictEqual(Effect.runSync(session.start as Effect.Effect<number>), 0)
    assert.match(
      messageOf(() => session.step(0)),
      thrown("step")
    )
    assert.match(
      messageOf(() => session.finish),
      thrown("finish")
    )
  })

  it("are refused where a loss is not one", () => {
    const { rowLoss: _, ...rest } = crossEntropyLoss
    const { what, reason } = refused({ losses: [{ ...rest, id: "half" }] })
    assert.strictEqual(what, 'loss "half"')
    assert.include(reason, '"rowLoss" must be a function')
    assert.include(refused({ losses: [{ ...crossEntropyLoss, id: "CAKLD" }] }).reason, "give yours another id")
  })

  it("are refused where a field is missing, misspelt, or of another type: all of it at once", () => {
    const { fakeQuantize, ...rest } = quantizer
    const { what, reason, message } = refused({ quantizers: [{ ...rest, fakeQuantise: fakeQuantize, version: "2" }] })
    assert.strictEqual(what, 'quantizer "mine"')
    assert.strictEqual(
      reason,
      '"version" must be a number; "fakeQuantize" must be a function; a quantizer has no "fakeQuantise"; did you mean "fakeQuantize"?'
    )
    assert.strictEqual(message, `plugin wrong.ts: quantizer "mine": ${reason}`)
    assert.include(refused({ quantizers: [{ ...quantizer, rowWise: true }] }).reason, 'did you mean "rowwise"?')
    assert.include(refused({ quantizers: [{ ...quantizer, Config: {} }] }).reason, '"Config" must be a schema')
    assert.include(refused({ losses: [{ ...crossEntropyLoss, id: "x", rowLoss: 1 }] }).reason, '"rowLoss" must be')
    assert.include(refused({ exporters: [{ ...packedExporter, id: "a/b" }] }).reason, '"id" must be a file name')
    assert.include(refused({ benchmarks: [{ ...nano, name: "x", mark: "exact" }] }).reason, '"mark" must be a function')
    assert.include(refused({ stages: [{ name: "x", begin: () => {} }] }).reason, 'a stage has no "begin"')
    assert.strictEqual(refused({ quantizers: [quantizer, () => quantizer] }).what, "quantizer 2 of the list")
    assert.strictEqual(refused({ quantizers: quantizer }).reason, "it must be a list")
    assert.strictEqual(refused({ quantizer: [quantizer] }).reason, 'did you mean "quantizers"?')
  })

  it("are refused where an id is taken, and both are named", () => {
    assert.strictEqual(
      refused({ quantizers: [{ ...quantizer, id: "bilevel" }] }).message,
      'plugin wrong.ts: quantizer "bilevel": there is "bilevel" of speedq already; give yours another id'
    )
    assert.include(refused({ quantizers: [quantizer] }, plugin).reason, 'there is "mine" of the plugin mine.ts already')
    assert.include(refused({ benchmarks: [{ ...nano, name: "MMSTAR" }] }).reason, 'there is "MMStar" of speedq already')
    assert.include(refused({ stages: [{ ...stage, name: "qat" }] }).reason, 'there is "qat" of speedq already')
    assert.include(refused({ quantizers: [quantizer, quantizer] }).reason, "it is twice in the list")
  })

  it("are facts of a run's record, by which those that are not given are found", () => {
    const lists = extended(plugin)
    const surroundings = { backend: "native", ...pluginSurroundings(lists) }
    const brought =
      'quantizer "mine" (version 2), loss "my-loss" (version 1), export format "my-format" (version 1), benchmark "my-benchmark" (version 1), stage "my-stage" (version 1)'
    assert.strictEqual(pluginSurroundings(lists)["plugin mine.ts"], brought)
    assert.deepStrictEqual(recordedPlugins(surroundings), [{ name: "mine.ts", brought }])
    assert.deepStrictEqual(missingPlugins(surroundings, lists), [])
    assert.deepStrictEqual(missingPlugins(surroundings, extended({ ...plugin, name: "renamed.ts" })), [])
    assert.deepStrictEqual(missingPlugins(surroundings, builtIn), [{ name: "mine.ts", brought }])
    const unnamed = extended({ quantizers: [quantizer] }, {}, { stages: [stage] })
    const own = { name: "in code", brought: 'quantizer "mine" (version 2), stage "my-stage" (version 1)' }
    assert.deepStrictEqual(missingPlugins(pluginSurroundings(unnamed), builtIn), [own])
    assert.deepStrictEqual(missingPlugins(pluginSurroundings(unnamed), unnamed), [])
    // Files that are made with a quantizer name a plugin that one can give; there is none.
    assert.isUndefined(unnamed.quantizers.at(-1)!.plugin)
  })
})
