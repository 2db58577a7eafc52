/** Every stage of SPEED-Q in one recipe on a nano-size model; interrupted anywhere and continued, it ends with the same bytes. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deployModel, packedWeights } from "@speedq/exports"
import { publicJson } from "@speedq/formats"
import { type Artefact, openSaved, RunEvents } from "@speedq/pipeline"
import { noGrad, scope, tensor } from "@speedq/tensors"
import {
  type AnsweringModel,
  decodeImage,
  decoder,
  encodeRendered,
  generateTokens,
  generationPrompt,
  greedy,
  imageTiles,
  imageTokenRows,
  logitsOfRows,
  mergeEmbeddings,
  normalizeTiles,
  projector,
  tokensPerTile,
  visionFeatures
} from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { QuantizedLanguage, QuantizedVision, TrainedProjector } from "../src/artefacts/artefacts.ts"
import { Compute } from "../src/compute/Compute.ts"
import type { Evaluation } from "../src/evaluate/Evaluation.ts"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { eventsOfKind, makeNanoRuns, nanoData, type Recording, wholeRecipe, writeNanoModel } from "./support/nano.ts"
import { runNano } from "./support/nanoProcess.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-nano-"))
const runs = makeNanoRuns()
const whole = join(root, "whole")
let model: string
let recording: Recording
let finished: Readonly<Record<string, string>>

/** Buffers that the backend holds. */
const { buffersInUse } = runs

beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
  recording = await runs.run(wholeRecipe(model), whole)
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  finished = resultsOf(whole)
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const evaluations = (): readonly Evaluation[] => {
  if (Exit.isFailure(recording.exit)) return assert.fail("the run failed")
  return (recording.exit.value as { readonly evaluations: readonly Evaluation[] }).evaluations
}

/** Moments in every stage that has steps, in the order of the recipe: within blocks and steps, and at their borders. */
const moments = [
  { stage: "01-evaluate", step: 4 },
  { stage: "03-adaround-vit", step: 1 },
  { stage: "03-adaround-vit", step: 20 },
  { stage: "05-train-projector", step: 3 },
  { stage: "07-autoclip", step: 2 },
  { stage: "08-qat", step: 4 },
  { stage: "12-evaluate-5", step: 5 }
]

describe("a whole recipe", () => {
  it("runs every stage and gives back all memory", async () => {
    assert.strictEqual(eventsOfKind(RunEvents.StageFinished, recording.entries).length, 12)
    assert.strictEqual(await buffersInUse(), 0)
  })

  it("evaluates the model as it stands after each stage", () => {
    const rows = evaluations()
    assert.deepStrictEqual(
      rows.map(({ title }) => title),
      ["full precision", "nearest 2-bit", "after AdaRound", "after the projector", "SPEED-Q 2-bit"]
    )
    const divergences = rows.map(({ scores }) => scores[0]!.divergence!)
    assert.strictEqual(divergences[0], 0)
    for (const divergence of divergences.slice(1)) assert.isAbove(divergence, 1e-6)
    // The same bits everywhere but in full precision, whatever was rounded how.
    assert.strictEqual(rows[0]!.bitsPerParameter, 32)
    assert.strictEqual(new Set(rows.slice(1).map(({ bytes }) => bytes)).size, 1)
    assert.isBelow(rows[1]!.bitsPerParameter, 8)
    assert.strictEqual(new Set(rows.map(({ scores }) => scores.length)).size, 1)
  })
})

describe("the report", () => {
  it("shows curves, layers, sizes and answers with their images, once each, and needs nothing but itself", () => {
    const page = readFileSync(join(whole, "report.html"), "utf8")
    assert.notMatch(page, /<link|<iframe|@import|url\(|https?:|src="(?!data:image\/png;base64,)/i)
    assert.lengthOf(page.match(/<script/g) ?? [], 1)
    const [head = "", ...chapters] = page.split(/<h2 [^>]*>/)
    const chapter = (title: string) => chapters.find((text) => text.startsWith(`${title}</h2>`)) ?? assert.fail(title)
    for (const { title } of evaluations()) {
      // Once in the small table, once in that of all scores.
      assert.lengthOf(page.match(new RegExp(`<th scope="(row|col)"[^>]*>${title}</th>`, "g")) ?? [], 2)
      assert.include(head, `>${title}</th>`)
    }
    assert.include(chapter("03-adaround-vit"), "Reconstruction error of each vision block")
    // The random model gets no answer right, so there is nothing to keep.
    assert.match(head, /<p class="headline">nano: 6\.5x smaller, scores 0\.0 on caption and 0\.0 on short</)
    assert.include(head, "<figcaption>Quality against size</figcaption>")
    const curves = chapter("Curves")
    assert.match(curves, /<li>[^/]*<\/span>05-train-projector<\/li><li>[^/]*<\/span>08-qat<\/li>/)
    assert.include(curves, "CAKLD, distance from the teacher")
    assert.notInclude(curves, "07-autoclip")
    const [tower = "", language = ""] = chapter("Layers").split("<caption>").slice(1)
    // Blocks of the tower have one error each, their layers bits; a layer of the decoder has both, of two stages.
    assert.match(
      tower,
      /^Layers of vision_model\.encoder\.layers<.*>whole block<.*>0<\/th><td [^>]*>\d\.\d\d<.*>2\.5</s
    )
    assert.match(tower, /03-adaround-vit: squared error of a block/)
    assert.match(
      language,
      /^Layers of language_model\.model\.layers<.*>\d\.\d\d · 2\.5<.*07-autoclip: mean squared error/s
    )
    assert.match(language, /title="language_model\.\S+\n07-autoclip: bilevel, .* after\n08-qat: bilevel, 2\.5 bits/)
    assert.include(chapter("09-export"), "<summary>Layers: ")
    assert.notInclude(chapter("11-export-3"), "<summary>Layers: ")
    assert.include(chapter("11-export-3"), "Export (packed)")
    const answers = chapter("12-evaluate-5: SPEED-Q 2-bit")
    // Three captions and four questions were asked of each model: all of them are among the samples.
    assert.strictEqual(answers.match(/<img src="data:image/g)?.length, 7)
    assert.strictEqual(answers.match(/<dt>[^<]*full precision[^<]*<\/dt>/g)?.length, 7)
    assert.strictEqual(answers.match(/<dt>[^<]*SPEED-Q 2-bit[^<]*<\/dt>/g)?.length, 7)
    assert.include(chapter("What it rests on"), "<summary>Recipe</summary>")
  })
})

/** Logits of the whole prompt of a question about a picture, and the answer's tokens. */
const ask = (model: AnsweringModel) =>
  Effect.gen(function* () {
    const { backend, directory, weights } = model
    const { config, image, tokenizer, tokens } = directory
    const tiles = imageTiles(yield* decodeImage(join(nanoData, "images/0007.png")), image)
    const rendered = yield* generationPrompt({
      question: "Describe the image.",
      tilesPerImage: [tiles.count],
      tokensPerTile: tokensPerTile(config)
    })
    const ids = encodeRendered(tokenizer, rendered)
    const integers = (values: ArrayLike<number>, shape: readonly number[]) =>
      tensor(backend, Int32Array.from(values), shape, "i32")
    const embed = () => {
      const pixels = tensor(backend, normalizeTiles(tiles, image.statistics), [tiles.count, 3, tiles.size, tiles.size])
      const visual = projector(weights, visionFeatures(weights, config, pixels))
      const rows = imageTokenRows(ids, tokens.imageContext)
      return mergeEmbeddings(weights, config.llm_config, integers(ids, [1, ids.length]), [visual], rows)
    }
    const everyRow = Array.from(ids, (_, position) => position)
    const { prompt, logits } = noGrad(() =>
      scope(() => {
        const embeddings = embed()
        const hidden = decoder(weights, config.llm_config, embeddings, { ids: integers(everyRow, [1, ids.length]) })
        return {
          prompt: embeddings,
          logits: logitsOfRows(weights, config.llm_config, hidden, integers(everyRow, [ids.length]))
        }
      })
    )
    const numbers = Float32Array.from(yield* Effect.promise(() => logits.read()))
    const stopIds = new Set([tokens.messageEnd])
    const request = { backend, config, weights, prompt, maxNewTokens: 20, stopIds, sampler: greedy }
    const answer = yield* Effect.promise(async () => {
      const ids: number[] = []
      for await (const id of generateTokens(request)) ids.push(id)
      return ids
    })
    for (const each of [prompt, logits]) each.release()
    return { logits: numbers, answer }
  })

/** What a finished stage gave, as the next one would see it. */
const artefactOf = <A, E, R>(artefact: Artefact.Artefact<string, A, E, R>, place: string) =>
  Effect.flatMap(openSaved(join(whole, "stages", place, `${artefact.name}.safetensors`)), artefact.codec.load)

describe("exports", () => {
  const exported = (name: string) => join(whole, "model", name)

  it("compute the run's own logits, and answer alike, token for token", async () => {
    const answers = await runs.runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { backend } = yield* Compute
          const source = yield* openSourceModel(model)
          const parts = {
            quantizedVision: yield* artefactOf(QuantizedVision, "03-adaround-vit"),
            projector: yield* artefactOf(TrainedProjector, "08-qat"),
            quantizedLanguage: yield* artefactOf(QuantizedLanguage, "08-qat")
          }
          const deployed = yield* Effect.promise(() => deployModel(source, parts, { rest: "bf16" }))
          const weights = packedWeights(deployed.packed, deployed.others)
          const own = yield* ask({ backend, directory: source.directory, weights })
          deployed.release()
          const packed = yield* Effect.flatMap(openAnsweringModel(exported("packed")), ask)
          const float = yield* Effect.flatMap(openAnsweringModel(exported("fake-quant-f32")), ask)
          const brain = yield* Effect.flatMap(openAnsweringModel(exported("fake-quant")), ask)
          return { own, packed, float, brain }
        })
      )
    )
    const { own, packed, float, brain } = answers
    assert.isAbove(own.answer.length, 0)
    assert.deepStrictEqual(packed, own)
    assert.deepStrictEqual(float, own)
    const furthest = brain.logits.reduce((most, logit, i) => Math.max(most, Math.abs(logit - own.logits[i]!)), 0)
    assert.isAbove(furthest, 0)
    assert.isBelow(furthest, 0.2)
    assert.strictEqual(await buffersInUse(), 0)
  })

  it("take the bytes that the size report promises, and less memory packed than whole", async () => {
    const described = JSON.parse(readFileSync(join(exported("packed"), "quantization.json"), "utf8"))
    assert.deepInclude(described, { exact: true, maxAbsErr: 0, layersFallenBack: [], format: "packed", tool: "speedq" })
    assert.match(described.version, /^\d+\.\d+\.\d+$/)
    const { recipe } = JSON.parse(readFileSync(join(whole, "run.json"), "utf8"))
    assert.strictEqual(recipe.model, model)
    assert.deepStrictEqual(described.recipe, publicJson(recipe))
    const layer = described.layers["language_model.model.layers.0.mlp.up_proj.weight"]
    assert.deepInclude(layer, { use: "bilevel", bits: 2.5, shape: [128, 64], bytes: (128 * 64 * 2.5) / 8 })
    assert.strictEqual(described.bytes, evaluations().at(-1)!.bytes)
    // Names, padding, tokenizer and configuration.
    const others = described.directoryBytes - described.bytes
    assert.isTrue(others > 0 && others < 250_000, String(others))
    const sizes = await runs.runtime.runPromise(
      Effect.forEach(["packed", "fake-quant"], (name) =>
        Effect.scoped(Effect.map(openAnsweringModel(exported(name)), ({ storage, bytes }) => ({ storage, bytes })))
      )
    )
    assert.deepStrictEqual(
      sizes.map(({ storage }) => storage),
      ["packed", "whole"]
    )
    assert.isBelow(sizes[0]!.bytes, 0.55 * sizes[1]!.bytes)
  })

  it("and the report have no path and no name of this machine", () => {
    const stages = readdirSync(join(whole, "stages")).map((place) => join("stages", place, "report.json"))
    const exports = readdirSync(join(whole, "model")).map((format) => join("model", format, "quantization.json"))
    const texts = ["report.html", ...stages, ...exports].map((file) => readFileSync(join(whole, file), "utf8"))
    assert.isAbove(texts.length, 8)
    assert.isTrue(texts.some((text) => text.includes(" samples of data/nano/datasets.json: ")))
    for (const text of texts) for (const own of [root, nanoData]) assert.notInclude(text, own)
    const { host } = JSON.parse(readFileSync(join(whole, "run.json"), "utf8")).surroundings
    assert.notInclude(texts[0], `<td>${host}</td>`)
  })

  it("say how far bf16 is from what was trained", () => {
    const described = JSON.parse(readFileSync(join(exported("fake-quant"), "quantization.json"), "utf8"))
    assert.isFalse(described.exact)
    assert.isAbove(described.maxAbsErr, 0)
    assert.isBelow(described.maxAbsErr, 0.01)
    assert.strictEqual(described.layers["language_model.lm_head.weight"].use, "embedding-sym4")
    assert.isTrue(existsSync(join(exported("fake-quant"), "tokenizer.json")))
  })
})

describe("a whole recipe, continued", () => {
  it("after an interruption at any step ends with the same bytes", async () => {
    const directory = join(root, "interrupted")
    for (const moment of moments) {
      const { exit, entries } = await runs.run(wholeRecipe(model), directory, moment)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), `${moment.stage} ${moment.step}`)
      const [last] = eventsOfKind(RunEvents.Interrupted, entries)
      assert.strictEqual(last?.step, moment.step)
    }
    const { exit } = await runs.run(wholeRecipe(model), directory)
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual(resultsOf(directory), finished)
    assert.strictEqual(await buffersInUse(), 0)
  })

  it("after SIGTERM has saved and exits with 130", async () => {
    const directory = join(root, "terminated")
    const recipe = join(root, "recipe.json")
    writeFileSync(recipe, JSON.stringify(wholeRecipe(model)))
    const { code, stderr } = await runNano(directory, recipe, {
      kill: { at: /^03-adaround-vit 10$/m, signal: "SIGTERM" }
    })
    assert.strictEqual(code, 130, stderr)
    const { manifest } = JSON.parse(readFileSync(join(directory, "stages/03-adaround-vit/manifest.json"), "utf8"))
    assert.isAtLeast(manifest.checkpoints[0].step, 10)
  })
})
