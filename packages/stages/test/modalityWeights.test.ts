/** Modality-balanced errors: gradients at branches against finite differences, what becomes of them, and the stages that use them. */
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import { parameterOf } from "@speedq/formats"
import { add, ignoredLabel, noGrad, openBackend, Random, rmsNorm, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  attentionBranch,
  decoderNorm,
  headLayerOf,
  mlpBranch,
  openModelDirectory,
  randomWeights,
  tokensPerTile,
  weightsFrom
} from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { type Branch, passBranchGradients } from "../src/posttraining/branchGradients.ts"
import { rowFactorsOf, type Sensitivities, weightsOfTokens } from "../src/posttraining/modalityWeights.ts"
import { inputEmbeddings, positionsOf } from "../src/training/hiddenStates.ts"
import { type MiniRecord, pictureRecord, writeMiniData } from "./support/miniData.ts"
import { makeNanoRuns, nearest, nearestLanguage } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("modalities", runs)

const backend = await openBackend("native")
const directory = await Effect.runPromise(openModelDirectory(model))
const { config } = directory
const language = config.llm_config
const weights = weightsFrom(randomWeights(backend, config, { seed: 2, spread: "fan-in", layerScale: 1 }))

describe("the gradient at a branch of a decoder layer", () => {
  const random = Random.make(5)
  const perTile = tokensPerTile(config)
  const text = (count: number) => Array.from({ length: count }, () => Math.floor(random.nextUniform() * 200))
  const picture = new Array<number>(perTile).fill(directory.tokens.imageContext)
  const answer = text(5)
  const ids = [...text(4), ...picture, ...text(3), ...answer]
  const length = ids.length
  const isPicture = (row: number) => row >= 4 && row < 4 + perTile
  const record = {
    ...{ size: 1, length, inputIds: Int32Array.from(ids) },
    labels: Int32Array.from(ids, (id, at) => (at < length - answer.length ? ignoredLabel : id)),
    attentionMask: new Uint8Array(length).fill(1),
    positionIds: Int32Array.from(ids, (_, at) => at)
  }
  const width = 4 * config.vision_config.hidden_size
  const shown = Float32Array.from({ length: perTile * width }, () => random.nextNormal())
  const features = tensor(backend, shown, [1, perTile, width])

  /** The loss where something is added to what one branch gives. */
  const lossWith = async (at: number, branch: Branch, added: Float32Array): Promise<number> => {
    const loss = noGrad(() =>
      scope(() => {
        const positions = positionsOf(backend, record)
        let x = inputEmbeddings({ backend, directory, weights, batch: record, features })
        const with_ = (index: number, of: Branch, value: Tensor) =>
          index === at && of === branch ? add(value, tensor(backend, added, value.shape)) : value
        for (let index = 0; index < language.num_hidden_layers; index++) {
          const h = add(x, with_(index, "attention", attentionBranch(weights, language, index, x, positions)))
          x = add(h, with_(index, "mlp", mlpBranch(weights, language, index, h)))
        }
        const hidden = rmsNorm(x, weights.get(parameterOf(decoderNorm)), language.rms_norm_eps)
        return vocabularyLoss({
          losses: [crossEntropy()],
          labels: { values: record.labels, batch: 1, length },
          student: { hidden, weight: weights.get(parameterOf(headLayerOf(language))) }
        }).loss
      })
    )
    return await loss.item().finally(() => loss.release())
  }

  it("is that of central finite differences: along its signs the loss rises by the sum of its magnitudes", async () => {
    const found = new Map<string, Float32Array>()
    await passBranchGradients({ backend, directory, weights, record, features }, (index, branch, gradient) =>
      found.set(`${index} ${branch}`, gradient.slice())
    )
    assert.lengthOf([...found], 2 * language.num_hidden_layers)
    const hidden = language.hidden_size
    for (const [name, gradient] of found) {
      const [index, branch] = name.split(" ") as [string, Branch]
      for (const ofPictures of [true, false]) {
        const along = gradient.map((value, at) =>
          isPicture(Math.floor(at / hidden)) === ofPictures ? Math.sign(value) : 0
        )
        const magnitudes = gradient.reduce((sum, value, at) => sum + value * along[at]!, 0)
        if (magnitudes === 0) {
          // After its last layer nothing reads what pictures have become.
          assert.isTrue(ofPictures && Number(index) === language.num_hidden_layers - 1, name)
          continue
        }
        const step = Math.min(2e-2, 0.05 / magnitudes)
        const loss = (sign: number) =>
          lossWith(
            Number(index),
            branch,
            along.map((value) => sign * step * value)
          )
        const slope = ((await loss(1)) - (await loss(-1))) / (2 * step)
        assert.closeTo(slope / magnitudes, 1, 0.01, `${name}, ${ofPictures ? "pictures" : "text"}`)
      }
    }
  })

  it("leaves nothing in memory", async () => {
    const before = backend.usage().bytes
    await passBranchGradients({ backend, directory, weights, record, features }, () => undefined)
    assert.strictEqual(backend.usage().bytes, before)
  })
})

describe("weights of modalities", () => {
  const tokens = { vision: 30, language: 10 }

  it("are as sensitivities are to each other, of mean 1 over the tokens", () => {
    // (30 * 1 + 10 * 5) / 40 = 2
    assert.deepStrictEqual(weightsOfTokens({ vision: 1, language: 5 }, tokens), { vision: 0.5, language: 2.5 })
    assert.deepStrictEqual(weightsOfTokens({ vision: 0, language: 3 }, tokens), { vision: 0, language: 4 })
  })

  it("are 1 where nothing is to be told apart: equal sensitivities, none at all, and text alone", () => {
    assert.deepStrictEqual(weightsOfTokens({ vision: 0.25, language: 0.25 }, tokens), { vision: 1, language: 1 })
    assert.deepStrictEqual(weightsOfTokens({ vision: 0, language: 0 }, tokens), { vision: 1, language: 1 })
    assert.strictEqual(weightsOfTokens({ vision: 0, language: 0.3 }, { vision: 0, language: 7 }).language, 1)
  })

  it("reach rows by modality, and Linears by the branch that they are a part of", () => {
    const layer = { attention: { vision: 1, language: 5 }, mlp: { vision: 2, language: 2 } }
    const measured: Sensitivities = { tokens, layers: [layer] }
    const visual = Uint8Array.of(0, 1, 1, 0)
    const hidden = tensor(backend, new Float32Array(8), [4, 2])
    const factors = rowFactorsOf(measured, language, 0, { hidden, lengths: [4], visual })
    const name = (linear: string) => `language_model.model.layers.0.${linear}`
    const roots = [2.5, 0.5, 0.5, 2.5].map((weight) => Math.fround(Math.sqrt(weight)))
    for (const linear of ["q", "k", "v", "o"]) {
      assert.deepStrictEqual([...factors(name(`self_attn.${linear}_proj`))!], roots, linear)
    }
    for (const linear of ["gate", "up", "down"]) {
      assert.deepStrictEqual([...factors(name(`mlp.${linear}_proj`))!], [1, 1, 1, 1], linear)
    }
    hidden.release()
  })
})

const dataOf = (name: string, records: ReadonlyArray<MiniRecord | string>): string => {
  mkdirSync(join(root, name))
  return writeMiniData(join(root, name), records)
}
const text = (number: number): MiniRecord => ({ question: "What comes next?", answer: `number ${number}` })
/** A question about a picture that nobody answers. */
const unanswered = (number: number): string =>
  JSON.stringify({ image: pictureRecord(number).image, conversations: [{ from: "human", value: "What is shown?" }] })
const meta = dataOf("data", [pictureRecord(1), pictureRecord(2), text(3), unanswered(4)])

const stageOf = (use: "gptq" | "awq", more: object = {}) => ({
  ...{ use, calibration: { meta }, modalities: "balanced", quantizers: nearestLanguage.slice(0, 1) },
  ...(use === "awq" && { steps: 4 }),
  ...more
})
const withoutOption = ({ modalities: _, ...stage }: ReturnType<typeof stageOf>) => stage
const recipe = (stage: object) => ({ version: 1, name: "modalities", model, seed: 3, stages: [stage] })
let directories = 0
const run = async (stage: object): Promise<string> => {
  const at = join(root, `run-${directories++}`)
  const { exit } = await runs.run(recipe(stage), at)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return at
}
const failure = async (stage: object): Promise<string> =>
  run(stage).then(
    () => assert.fail("it succeeded"),
    (error) => String(error)
  )
const bytesOf = (at: string, use: string) => resultsOf(at)[`stages/01-${use}/quantizedLanguage.safetensors`]

describe.each(["gptq", "awq"] as const)("%s with balanced modalities", (use) => {
  it("gives other codes, and goes on after an interruption with the same bytes", async () => {
    const [whole, equal, left] = [
      await run(stageOf(use)),
      await run(stageOf(use, { modalities: "equal" })),
      await run(withoutOption(stageOf(use)))
    ]
    assert.strictEqual(bytesOf(equal, use), bytesOf(left, use))
    assert.notStrictEqual(bytesOf(whole, use), bytesOf(left, use))
    const at = join(root, `interrupted-${use}`)
    const { exit } = await runs.run(recipe(stageOf(use)), at, { stage: `01-${use}`, step: 2 })
    assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(stageOf(use)), at)).exit))
    assert.strictEqual(bytesOf(at, use), bytesOf(whole, use))
    const report = readFileSync(join(whole, "report.html"), "utf8")
    assert.include(report, "Sensitivity by modality")
    assert.notInclude(readFileSync(join(left, "report.html"), "utf8"), "Sensitivity by modality")
  })
})

describe("a stage with balanced modalities", () => {
  it("counts text alone where there are no pictures: the codes are those of equal tokens", async () => {
    const calibration = { meta: dataOf("texts", [text(1), text(2)]) }
    const balanced = await run(stageOf("gptq", { calibration }))
    const equal = await run(stageOf("gptq", { calibration, modalities: "equal" }))
    assert.strictEqual(bytesOf(balanced, "gptq"), bytesOf(equal, "gptq"))
  })

  it("quantizes the vision tower as it does without", async () => {
    const quantizers = nearest.slice(0, 2)
    const visionOf = (at: string) => resultsOf(at)["stages/01-gptq/quantizedVision.safetensors"]
    const [balanced, equal] = [
      await run(stageOf("gptq", { quantizers })),
      await run(stageOf("gptq", { quantizers, modalities: "equal" }))
    ]
    assert.isString(visionOf(balanced))
    assert.strictEqual(visionOf(balanced), visionOf(equal))
  })

  it("says so where nothing can be measured: no answers, none about pictures, no Linear of the decoder", async () => {
    const none = { meta: dataOf("unanswered", [unanswered(1), unanswered(2)]) }
    assert.match(await failure(stageOf("gptq", { calibration: none })), /there is nothing to learn/)
    const onText = { meta: dataOf("on-text", [unanswered(1), text(2)]) }
    assert.match(await failure(stageOf("awq", { calibration: onText })), /no record of .* with a picture has an answer/)
    const tower = stageOf("gptq", { quantizers: nearest.slice(0, 1) })
    assert.match(await failure(tower), /weighs tokens in the decoder, and no rule quantizes/)
  })
})
