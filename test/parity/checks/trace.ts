/** Whole training runs of stage 2 and stage 3 on the tiny checkpoint (fixtures/internvl3/trace-*). */
import { dirname, join } from "node:path"
import { cakld, crossEntropy, type RowLoss, vocabularyLoss } from "@speedq/distillation"
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import {
  adamW,
  type Backend,
  clipByGlobalNorm,
  noGrad,
  type Parameters,
  scope,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import { type ModelConfig, mapLayers, visionFeatures, type Weights, weightsFrom } from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareShare } from "../compare.ts"
import { type Fixture, readFixture } from "../Fixture.ts"
import { flaggedPixels, hiddenStates, loadTinyCheckpoint } from "./forward.ts"

const head = "language_model.lm_head.weight"
const embedding = "language_model.model.embed_tokens.weight"
const wideAttention = /(q_proj|k_proj|v_proj|o_proj|down_proj)$/
/** The reference widens its "mixed" matrices to this. */
const mixQuant = { bits: 4, group: 32 }
const decoderLinear = /language_model\.model\.layers\.\d+\..*_proj$/

/** Quantizer of each decoder Linear under the trace's settings; undefined for everything else. */
const quantizerOf = (fixture: Fixture): ((layer: string) => QuantizerChoice | undefined) => {
  if (fixture.meta["stage"] === "2") return () => undefined
  const scaleGroup = fixture.number("scale_group")
  const reference = { scaleGroup, secondLevel: "f32", commonScale: "reference" } as const
  const grid = (bits: number, group: number) => bilevel({ bits: bits as 2 | 3 | 4, group, ...reference })
  const narrow = grid(fixture.number("bits"), fixture.number("group"))
  const wide = grid(fixture.number("wide_bits", mixQuant.bits), fixture.number("wide_group", mixQuant.group))
  const mixed = fixture.name.includes("-mixed-")
  return (layer) => (decoderLinear.test(layer) ? (mixed && wideAttention.test(layer) ? wide : narrow) : undefined)
}

/** The fixtures beside this one that its metadata names: "forward-a, forward-b, in turn". */
const batchesOf = (fixture: Fixture): readonly Fixture[] =>
  (fixture.meta["batches"]?.match(/forward-[\w-]+/g) ?? []).map((name) =>
    readFixture(join(dirname(fixture.path), `${name}.safetensors`))
  )

const lossesOf = (fixture: Fixture): readonly RowLoss[] => {
  if (fixture.meta["stage"] === "2") return [crossEntropy()]
  const mask = fixture.meta["kl_mask"] === "unshifted" ? "unshifted" : "shifted"
  return [
    cakld({ confidence: fixture.number("beta"), mask }),
    crossEntropy({ labelSmoothing: fixture.number("label_smoothing") })
  ]
}

interface Evaluation {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly trace: Fixture
  readonly batch: Fixture
  /** Features of the batch's tiles before the projector; undefined where it shows none. */
  readonly features: Tensor | undefined
  readonly frozen: Parameters
  readonly teacher: Weights
}

/** The trace's loss of student and teacher on a batch, as a function of the trained parameters. */
const lossOf = ({ backend, config, trace, batch, features, frozen, teacher }: Evaluation) => {
  const losses = lossesOf(trace)
  const quantizer = quantizerOf(trace)
  const [rows = 0, length = 0] = batch.shape("input_ids")
  const labels = { values: batch.integers("labels"), batch: rows, length }
  const teacherHead = losses.some(({ needsTeacher }) => needsTeacher)
    ? {
        hidden: noGrad(() => hiddenStates(backend, batch, config, teacher, features)),
        weight: teacher.get(head)
      }
    : undefined
  return (trained: Parameters) => {
    const weights = mapLayers(weightsFrom(trained, frozen), (layer, tensor) => {
      const choice = quantizer(layer)
      return choice ? choice.quantizer.fakeQuantize(choice.config, tensor) : tensor
    })
    const hidden = hiddenStates(backend, batch, config, weights, features)
    const student = { hidden, weight: weights.get(head) }
    const { loss, parts } = vocabularyLoss({ losses, labels, student, teacher: teacherHead, chunkRows: 7 })
    return { loss, auxiliary: parts }
  }
}

export const traceCheck: Check = {
  matches: /internvl3\/trace-/,
  run: async (fixture, backend) => {
    const { config, parameters } = loadTinyCheckpoint(backend, fixture)
    const teacher = weightsFrom(parameters)
    const { quantizer, config: grid } = embeddingSym4({ group: fixture.number("embedding_group", 32), scale: "f32" })
    const quantized = {
      [head]: quantizer.fakeQuantize(grid, parameters[head]!),
      [embedding]: quantizer.fakeQuantize(grid, parameters[embedding]!)
    }
    const trains = (name: string) =>
      fixture.meta["stage"] === "2"
        ? name.startsWith("mlp1.")
        : name.startsWith("mlp1.") || (name.startsWith("language_model.") && !(name in quantized))
    const trained = Object.fromEntries(
      await Promise.all(
        Object.entries(parameters)
          .filter(([name]) => trains(name))
          .map(async ([name, parameter]) => [name, tensor(backend, await parameter.read(), parameter.shape)] as const)
      )
    )
    const frozen: Parameters = { ...parameters, ...quantized }
    const optimizer = adamW({ weightDecay: fixture.number("weight_decay") })
    let state = optimizer.init(trained)
    const batches = batchesOf(fixture).map((batch) => {
      const pixels = flaggedPixels(backend, batch)
      return { batch, features: pixels && noGrad(() => visionFeatures(teacher, config, pixels)) }
    })

    const steps = fixture.number("steps")
    const log: number[][] = []
    for (let step = 0; step < steps; step++) {
      const { batch, features } = batches[step % batches.length]!
      const result = scope(() => {
        const { value, gradients, auxiliary } = valueAndGrad(
          lossOf({ backend, config, trace: fixture, batch, features, frozen, teacher })
        )(trained)
        const { norm, factor } = clipByGlobalNorm(gradients, fixture.number("max_grad_norm"))
        const learningRate = fixture.number("lr")
        return {
          value,
          norm,
          parts: auxiliary,
          state: optimizer.update(trained, gradients, state, { learningRate, factor })
        }
      })
      state = result.state
      const { kd, ce } = result.parts
      log.push([await result.value.item(), kd ? await kd.item() : 0, await ce!.item(), await result.norm.item()])
    }
    return [...compareLog(fixture, log), ...(await compareFinal(fixture, trained))]
  }
}

const finalPrefix = "final."

/**
 * Trained parameters after the last step: 99 % of each tensor's entries within a tenth of the learning rate. Adam's steps
 * have the learning rate's size however small the gradient, so an entry whose gradient is rounding noise may go elsewhere;
 * that of a key's bias is little else.
 */
const compareFinal = async (fixture: Fixture, trained: Parameters): Promise<readonly Comparison[]> => {
  const tolerance = { relative: 0, absolute: fixture.number("lr") / 10 }
  const comparisons: Comparison[] = []
  for (const name of fixture.names.filter((name) => name.startsWith(finalPrefix))) {
    const parameter = trained[name.slice(finalPrefix.length)]
    if (parameter === undefined) throw new Error(`${name} was not trained`)
    const actual = await parameter.read()
    const expected = fixture.numbers(name)
    comparisons.push(compareShare(name, actual, expected, tolerance, 0.99))
  }
  return comparisons
}

const compareLog = (fixture: Fixture, log: readonly (readonly number[])[]): readonly Comparison[] => {
  const expected = fixture.numbers("log")
  const columns = fixture.shape("log")[1]!
  return log.flatMap((row, step) => {
    const relative = step === log.length - 1 ? 5e-3 : 2e-3
    const loss = row.slice(0, 1)
    return [
      compare(`loss of step ${step + 1}`, loss, expected.slice(step * columns, step * columns + 1), {
        relative,
        absolute: 0
      }),
      compare(
        `kd and ce of step ${step + 1}`,
        row.slice(1, 3),
        expected.slice(step * columns + 1, step * columns + 3),
        {
          relative: 5e-3,
          absolute: 1e-5
        }
      )
    ]
  })
}
