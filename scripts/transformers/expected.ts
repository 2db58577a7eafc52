/**
 * node --import tsx -C @speedq/source scripts/transformers/expected.ts MODEL IMAGE QUESTION FILE: writes what this software makes of a
 * question about a picture, as safetensors: `ids` i32 [T], `pixels` f32 [tiles, 3, size, size], `logits` f32 [T, V].
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors } from "@speedq/formats"
import { noGrad, openBackend, scope, tensor } from "@speedq/tensors"
import {
  decodeImage,
  decoder,
  encodeRendered,
  generationPrompt,
  imageTiles,
  imageTokenRows,
  loadWeights,
  logitsOfRows,
  mergeEmbeddings,
  normalizeTiles,
  openModelDirectory,
  projector,
  tokensPerTile,
  visionFeatures,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

const [model, picture, question, out] = process.argv.slice(2)
if (out === undefined) throw new Error("usage: expected.ts MODEL IMAGE QUESTION FILE")

const f32 = (name: string, values: Float32Array, shape: readonly number[]): Safetensors.TensorSource => ({
  name,
  dtype: "F32",
  shape,
  data: Effect.sync(() => new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
})

const program = Effect.gen(function* () {
  const { config, image, tokenizer, tokens } = yield* openModelDirectory(model!)
  const { store } = yield* Safetensors.openModel(model!)
  const backend = yield* Effect.promise(() => openBackend("native"))
  const weights = weightsFrom(loadWeights(backend, config, store))
  const tiles = imageTiles(yield* decodeImage(picture!), image)
  const rendered = yield* generationPrompt({
    question: question!,
    tilesPerImage: [tiles.count],
    tokensPerTile: tokensPerTile(config),
    systemMessage: config.system_message
  })
  const ids = encodeRendered(tokenizer, rendered)
  const pixels = normalizeTiles(tiles, image.statistics)
  const pixelShape = [tiles.count, 3, tiles.size, tiles.size]
  const integers = (values: ArrayLike<number>, shape: readonly number[]) =>
    tensor(backend, Int32Array.from(values), shape, "i32")
  const logits = noGrad(() =>
    scope(() => {
      const visual = projector(weights, visionFeatures(weights, config, tensor(backend, pixels, pixelShape)))
      const language = config.llm_config
      const rows = imageTokenRows(ids, tokens.imageContext)
      const prompt = mergeEmbeddings(weights, language, integers(ids, [1, ids.length]), [visual], rows)
      const places = Int32Array.from(ids, (_, place) => place)
      const hidden = decoder(weights, language, prompt, { ids: integers(places, [1, ids.length]) })
      return logitsOfRows(weights, language, hidden, integers(places, [ids.length]))
    })
  )
  const numbers = Float32Array.from(yield* Effect.promise(() => logits.read()))
  yield* Safetensors.write(out!, [
    {
      name: "ids",
      dtype: "I32",
      shape: [ids.length],
      data: Effect.sync(() => new Uint8Array(Int32Array.from(ids).buffer))
    },
    f32("pixels", pixels, pixelShape),
    f32("logits", numbers, [ids.length, config.llm_config.vocab_size])
  ])
  yield* Effect.promise(() => backend.close())
})

await Effect.runPromise(Effect.provide(Effect.scoped(program), NodeServices.layer))
