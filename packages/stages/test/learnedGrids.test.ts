/** Learned grids in training (docs/method.md, "Learned grids"): what they are, what they win, and what a stage makes of them. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors, typedView } from "@speedq/formats"
import { Preflight, Recipe } from "@speedq/pipeline"
import { bilevel, learnedGrid, type QuantizerChoice, uniform } from "@speedq/quantizers"
import {
  adamW,
  add,
  makeReferenceBackend,
  multiply,
  noGrad,
  type Parameters,
  Random,
  scale,
  scope,
  sum,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { Compute } from "../src/compute/Compute.ts"
import type { Evaluation } from "../src/evaluate/Evaluation.ts"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { stages } from "../src/registry/stages.ts"
import { initialGrid, weightOnGrid } from "../src/training/learnedGrids.ts"
import { evaluation, makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const backend = makeReferenceBackend()
afterAll(() => backend.close())

const normals = (seed: number, rows: number, columns: number, spread = 0.1): Float32Array => {
  const random = Random.make(seed)
  return Float32Array.from({ length: rows * columns }, () => spread * random.nextNormal())
}
const numbers = async (x: Tensor): Promise<readonly number[]> => [...(await x.read())]

/** What is trained of a weight: itself, the factor and the shift. */
const partsOf = (choice: QuantizerChoice, weight: Tensor): Parameters => {
  const { factor, shift } = initialGrid(weight.backend, weight.shape, learnedGrid(choice)!)
  return { weight, factor, ...(shift ? { shift } : {}) }
}
const quantized = (choice: QuantizerChoice, { weight, factor, shift }: Parameters): Tensor =>
  weightOnGrid(learnedGrid(choice)!, weight!, { factor: factor!, shift })

const kinds: readonly (readonly [string, QuantizerChoice])[] = [
  ["bilevel, 2 bits", bilevel({ bits: 2, group: 16, scaleGroup: 8 })],
  ["bilevel, 3 bits", bilevel({ bits: 3, group: 16, scaleGroup: 8 })],
  ["bilevel, 4 bits", bilevel({ bits: 4, group: 16, scaleGroup: 8 })],
  ["uniform", uniform({ bits: 2, group: 16 })],
  ["symmetric", uniform({ bits: 4, group: 16, symmetric: true })]
]

describe.each(kinds)("a learned grid of %s", (_, choice) => {
  const { quantizer, config } = choice
  const grid = learnedGrid(choice)!
  const [rows, columns, group] = [8, 32, 16]
  const groups = columns / group
  const weightValues = normals(3, rows, columns)

  it("begins as the published fake quantization, to the bit", async () => {
    const weight = tensor(backend, weightValues, [rows, columns])
    const found = noGrad(() => quantized(choice, partsOf(choice, weight)))
    const fake = noGrad(() => quantizer.fakeQuantize(config, weight))
    assert.deepStrictEqual(await numbers(found), await numbers(fake))
  })

  it("has the gradients of the formula with its roundings held", async () => {
    const random = Random.make(8)
    const weight = tensor(backend, weightValues, [rows, columns])
    const spread = (around: number) => Array.from({ length: rows * groups }, () => around + 0.4 * random.nextNormal())
    const [factors, shifts] = [spread(0.8), spread(0)]
    const { factor, shift } = partsOf(choice, weight)
    const parts: Parameters = {
      weight,
      factor: tensor(backend, factors, factor!.shape),
      ...(shift ? { shift: tensor(backend, shifts, shift.shape) } : {})
    }
    const dy = normals(9, rows, columns, 1)
    const upstream = tensor(backend, dy, [rows, columns])
    const { gradients } = scope(() =>
      valueAndGrad((given: Parameters) => ({
        loss: sum(multiply(upstream, quantized(choice, given))),
        auxiliary: undefined
      }))(parts)
    )

    // The same in double precision: whatever rounding adds is held, and so is which codes are clamped.
    const range = noGrad(() => grid.range(weight))
    const [s, z] = [await numbers(range.scale), await numbers(range.zero)]
    const found = noGrad(() =>
      grid.nearest(multiply(range.scale, parts["factor"]!), shift ? add(range.zero, parts["shift"]!) : range.zero)
    )
    const [kept, points] = [await numbers(found.scale), await numbers(found.zero)]
    const most = 2 ** grid.bits - 1
    const loss = (w: readonly number[], f: readonly number[], d: readonly number[]): number =>
      w.reduce((total, value, i) => {
        const at = Math.floor(i / group)
        const scaled = kept[at]! + (f[at]! - factors[at]!) * s[at]!
        const point = points[at]! + (shift ? d[at]! - shifts[at]! : 0)
        const open = weightValues[i]! / kept[at]! + points[at]!
        const code = Math.min(Math.max(Math.round(open), 0), most)
        const inside = Math.round(open) === code
        const moved = inside ? value / scaled + point + (code - open) : code
        return total + dy[i]! * scaled * (moved - point)
      }, 0)
    assert.isAbove(z.length, 0)
    const at = { weight: [...weightValues], factor: factors, shift: shifts }
    const lossAt = (values: typeof at) => loss(values.weight, values.factor, values.shift)
    for (const name of Object.keys(parts) as (keyof typeof at)[]) {
      const gradient = await numbers(gradients[name]!)
      for (const [i, expected] of gradient.entries()) {
        const step = 1e-6
        const by = (change: number) => ({ ...at, [name]: at[name].map((x, j) => (j === i ? x + change : x)) })
        const difference = (lossAt(by(step)) - lossAt(by(-step))) / (2 * step)
        assert.closeTo(expected, difference, 1e-4 * (1 + Math.abs(difference)), `${name} ${i}`)
      }
    }
  })
})

describe("what learning a grid wins", () => {
  it("is more than following gives, where one outlier that hardly counts spans the range", async () => {
    const choice = bilevel({ bits: 2, group: 16, scaleGroup: 4 })
    const start = normals(4, 4, 16, 0.05)
    for (let row = 0; row < 4; row++) start[16 * row] = 1
    const counts = Float32Array.from(start, (_, i) => (i % 16 === 0 ? 1e-4 : 1))
    const trained = async (learned: boolean) => {
      const target = tensor(backend, start, [4, 16])
      const importance = tensor(backend, counts, [4, 16])
      const parts = learned
        ? partsOf(choice, tensor(backend, start, [4, 16]))
        : { weight: tensor(backend, start, [4, 16]) }
      const lossOf = (given: Parameters) => {
        const y = learned ? quantized(choice, given) : choice.quantizer.fakeQuantize(choice.config, given["weight"]!)
        const error = add(y, scale(target, -1))
        return { loss: sum(multiply(importance, multiply(error, error))), auxiliary: undefined }
      }
      const optimizer = adamW({ weightDecay: 0, rateOf: (name) => (name === "weight" ? 1 : 10) })
      let state = optimizer.init(parts)
      let [first, least] = [Number.NaN, Number.POSITIVE_INFINITY]
      for (let step = 0; step < 200; step++) {
        const { value, gradients } = scope(() => valueAndGrad(lossOf)(parts))
        const loss = await value.item()
        if (step === 0) first = loss
        least = Math.min(least, loss)
        state = optimizer.update(parts, gradients, state, { learningRate: 1e-3 })
      }
      return { first, least }
    }
    const [follows, learns] = [await trained(false), await trained(true)]
    assert.strictEqual(learns.first, follows.first)
    assert.isBelow(learns.least, 0.5 * follows.least)
  })
})

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("learned-grids", runs)
const { adaround, qat } = shortStages
const learned = { ...qat, maxSteps: 3, warmupRatio: 0, learningRate: 2e-3, grids: "learned", gridRate: 5 }
const still = { ...qat, maxSteps: 1, learningRate: 0, weightDecay: 0, start: "quantized" }
const exports = [
  { use: "export", format: "fake-quant", with: { dtype: "f32" } },
  { use: "export", format: "packed" }
]

const recipe = (list: readonly object[]) => ({
  version: 1,
  name: "grids",
  model,
  seed: 3,
  save: { everySteps: 1 },
  stages: list
})
const evaluationsOf = (exit: Exit.Exit<unknown, unknown>): readonly Evaluation[] => {
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return (exit.value as { readonly evaluations?: readonly Evaluation[] }).evaluations ?? []
}
let directories = 0
const attempt = async (...list: readonly object[]) => {
  const directory = join(root, `run-${directories++}`)
  return { directory, ...(await runs.run(recipe(list), directory)) }
}
const succeed = async (...list: readonly object[]) => {
  const { directory, exit } = await attempt(...list)
  return { directory, evaluations: evaluationsOf(exit) }
}
const reasonOf = async (...list: readonly object[]): Promise<string> => {
  const { exit } = await attempt(...list)
  return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("it succeeded")
}

const numbersIn = (file: string): ReadonlyMap<string, Float32Array> => {
  const store = Safetensors.openSync(file)
  const found = [...store.tensors].flatMap(([name, { dtype }]) =>
    dtype === "F32" ? [[name, Float32Array.from(typedView("F32", store.read(name)))] as const] : []
  )
  store.close()
  return new Map(found)
}
const namesIn = (directory: string, place: string, artefact: string): readonly string[] => {
  const store = Safetensors.openSync(join(directory, "stages", place, `${artefact}.safetensors`))
  const names = [...store.tensors.keys()]
  store.close()
  return names
}
const exported = ({ directory }: { readonly directory: string }) =>
  numbersIn(join(directory, "model/fake-quant-f32/model.safetensors"))

const down = "language_model.model.layers.1.mlp.down_proj.weight"

describe("a stage with learned grids", () => {
  it("gives packed weights, which exports hold and answer with as the run does", async () => {
    const run = await succeed(learned, ...exports, evaluation("learned"))
    const names = namesIn(run.directory, "01-qat", "quantizedLanguage")
    assert.isTrue(names.some((name) => name.endsWith(`${down}.codes`)))
    assert.isFalse(names.some((name) => name.includes("scaleFactor") || name.includes("zeroShift")))
    assert.notInclude(names, `parameter.${down}`)
    assert.include(names, "parameter.language_model.model.norm.weight")
    // The same training whose scales follow ends elsewhere.
    const { grids: _grids, gridRate: _rate, ...following } = learned
    const follows = await succeed(following, ...exports)
    assert.notDeepEqual(exported(run).get(down), exported(follows).get(down))
    const own = run.evaluations.map(({ scores }) => scores.map(({ answers }) => answers))
    assert.isAbove(own[0]!.length, 0)
    const source = { ...recipe([evaluation("learned")]), model: join(run.directory, "model/fake-quant-f32") }
    const asked = await runs.run(source, join(root, "asked"))
    assert.deepStrictEqual(
      evaluationsOf(asked.exit).map(({ scores }) => scores.map(({ answers }) => answers)),
      own
    )
    const packed = await runs.runtime.runPromise(
      Effect.scoped(
        Effect.flatMap(openAnsweringModel(join(run.directory, "model/packed")), ({ weights }) =>
          Effect.promise(async () => {
            const weight = weights.get(down)
            return Float32Array.from(await weight.read().finally(() => weight.release()))
          })
        )
      )
    )
    assert.deepStrictEqual(packed, exported(run).get(down))
  })

  it("ends with the same bytes when it is interrupted, and where layers are computed again", async () => {
    const { directory: whole } = await succeed(learned)
    const directory = join(root, "interrupted")
    for (const step of [4, 5]) {
      const { exit } = await runs.run(recipe([learned]), directory, { stage: "01-qat", step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), `step ${step}`)
    }
    assert.isTrue(Exit.isSuccess((await runs.run(recipe([learned]), directory)).exit))
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    const again = await succeed({ ...learned, rematerialize: true })
    const file = join("stages", "01-qat", "quantizedLanguage.safetensors")
    assert.isTrue(readFileSync(join(again.directory, file)).equals(readFileSync(join(whole, file))))
    const { backend: held } = await runs.runtime.runPromise(Compute)
    assert.strictEqual(held.usage().buffers, 0)
  })

  it("can be gone on from, with the weights that it gave", async () => {
    const given = exported(await succeed(learned, ...exports))
    const next = await succeed(learned, still)
    const file = join(next.directory, "stages", "02-qat-2", "quantizedLanguage.safetensors")
    assert.deepStrictEqual(numbersIn(file).get(`parameter.${down}`), given.get(down))
    const again = await succeed(learned, { ...learned, start: "quantized" })
    const names = namesIn(again.directory, "02-qat-2", "quantizedLanguage")
    assert.isTrue(names.some((name) => name.endsWith(`${down}.codes`)))
  })

  it("packs the tower's blocks that it trains, the projector, and everything at once", async () => {
    const quick = { ...adaround, iterations: 0 }
    const more = { ...learned, quantizeProjector: true, train: { visionLayers: 1 } }
    const parts = await succeed(quick, more, ...exports, evaluation("tower"))
    const names = namesIn(parts.directory, "02-qat", "quantizedLanguage")
    for (const layer of [
      "vision_model.encoder.layers.2.attn.qkv",
      "mlp1.1",
      "language_model.model.layers.0.mlp.up_proj"
    ])
      assert.include(names.join(" "), `${layer}.weight.codes`)
    const joint = await succeed({ ...learned, use: "joint-qat" }, ...exports, evaluation("joint"))
    const tower = namesIn(joint.directory, "01-joint-qat", "quantizedVision").join(" ")
    assert.include(tower, "vision_model.encoder.layers.0.mlp.fc1.weight.codes")
    assert.notInclude(namesIn(joint.directory, "01-joint-qat", "quantizedLanguage").join(" "), "vision_model")
  })
})

describe("learned grids are refused, by the run and by its plan", () => {
  const planOf = (...list: readonly object[]) => {
    const plan = Effect.flatMap(Recipe.decode(stages, recipe(list)), (made) => Preflight.plan(made, join(root, "plan")))
    return Effect.runPromise(Effect.provide(plan, NodeServices.layer))
  }
  const obstacles = async (...list: readonly object[]) =>
    JSON.stringify((await planOf(...list)).stages.map(({ forecast }) => forecast))

  it("of quantizers without any", async () => {
    const other = { ...learned, quantizers: [{ match: "**", use: "n2f3", with: { group: 16 } }] }
    assert.match(await reasonOf(other), /grids is "learned".*"n2f3"/)
    assert.match(await obstacles(other), /grids is .*n2f3/)
  })

  it("of ranges that are searched for, and as a rate alone", async () => {
    const searched = [{ match: "**", use: "uniform", with: { bits: 2, group: 16, range: "mse" } }]
    assert.match(await reasonOf({ ...learned, quantizers: searched }), /"uniform" with range "mse"/)
    assert.match(await reasonOf({ ...qat, gridRate: 2 }), /gridRate is 2, but grids follow/)
  })

  it("and otherwise counted: two numbers a group, in memory and saved states; packed results are smaller", async () => {
    const [follows, learns] = await Promise.all([planOf(qat), planOf({ ...qat, grids: "learned" })])
    const [before, after] = [follows.stages[0]!.forecast, learns.stages[0]!.forecast]
    assert.isAbove(after.memoryBytes!, before.memoryBytes!)
    assert.isAbove(after.checkpointBytes!, before.checkpointBytes!)
    assert.isBelow(after.outputBytes!, before.outputBytes!)
  })
})
