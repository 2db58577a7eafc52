/** Computes the logits of a question in a worker of a page, from the files of a packed model on its server. */
import { packedWeights, readPackedModel } from "@speedq/exports"
import { provideFiles } from "@speedq/formats/BlobFiles"
import { openModelSync } from "@speedq/formats/Safetensors"
import { quantizers } from "@speedq/quantizers"
import { findAdapter, makeGpujsBackend, makeNativeBackend } from "@speedq/tensors"
import { imageTiles, openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { compute } from "../../../exports/test/support/ours.ts"
import { decodePicture } from "../../src/engine/picture/decodePicture.ts"
import { type Logits, type LogitsRequest, noAdapter } from "./logitsMessages.ts"

const blobOf = async (path: string): Promise<Blob> => (await fetch(path)).blob()

const answer = async ({ names, picture, question, threads, simd, graphics }: LogitsRequest): Promise<Logits> => {
  if (graphics && (await findAdapter()) === undefined) return { tiles: [], logits: [], name: noAdapter }
  provideFiles("model", await Promise.all(names.map(async (name) => [name, await blobOf(`/model/${name}`)] as const)))
  const directory = await Effect.runPromise(openModelDirectory("model"))
  const backend = graphics
    ? await makeGpujsBackend({ mode: "webgpu" })
    : await makeNativeBackend({ threads, simd, blas: "none" })
  const { packed, others } = readPackedModel(backend, directory.config, openModelSync("model"), quantizers)
  const pixels = await Effect.runPromise(decodePicture(picture, await blobOf(`/${picture}`)))
  const tiles = imageTiles(pixels, directory.image)
  const model = { backend, directory, weights: packedWeights(packed, others) }
  const { logits } = await compute(model, tiles, question)
  await backend.close()
  return { tiles: [...tiles.data], logits: [...logits], name: backend.name }
}

const scope = globalThis as unknown as {
  onmessage: (event: { readonly data: LogitsRequest }) => void
  postMessage: (message: unknown) => void
}
scope.onmessage = ({ data }) => {
  answer(data).then(
    (found) => scope.postMessage(found),
    (error: unknown) => scope.postMessage(String(error))
  )
}
