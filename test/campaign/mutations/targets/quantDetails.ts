/** What the reference's save_fake_quant writes, by PyTorch's own pickles and as safetensors that name their quantizer. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { releasePacked, releaseParameters } from "@speedq/exports"
import { bytesOf, Safetensors } from "@speedq/formats"
import { bilevel, encodeChoice } from "@speedq/quantizers"
import { makeReferenceBackend } from "@speedq/tensors"
import { readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { using } from "../../../../packages/stages/src/reference/detailFiles.ts"
import { readQuantDetails } from "../../../../packages/stages/src/reference/QuantDetails.ts"
import type { Files, MakeTarget } from "../Target.ts"
import { here } from "./models.ts"

const linear = "0/self_attn.k_proj"
/** An embedding, a Linear, and what was not quantized: one file of each kind. */
const names = ["embed_tokens/embed_tokens", linear, "not_quantized_weights.pt"]

/** The same entries as safetensors, with the choice that their writer names. */
const asSafetensors = async (path: string, file: string): Promise<Uint8Array> => {
  const entries = using(path, ({ tensors }) =>
    [...tensors].map(([name, { shape, read }]) => {
      const data = Effect.succeed(bytesOf(Float32Array.from(read())))
      return { name, shape, dtype: "F32" as const, data }
    })
  )
  const choice = bilevel({ bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32" })
  await Effect.runPromise(
    Safetensors.write(file, entries, { metadata: { quantizer: JSON.stringify(encodeChoice(choice)) } })
  )
  return readFileSync(file)
}

export const quantDetails: MakeTarget = async (scratch) => {
  const directory = here("packages/stages/test/fixtures/reference/quant_details")
  const config = readModelConfig(here("test/fixtures/internvl3/checkpoint"))
  const backend = makeReferenceBackend()
  const pickles: Files = Object.fromEntries(names.map((name) => [name, readFileSync(join(directory, name))]))
  const named = await asSafetensors(join(directory, linear), join(scratch, "linear.safetensors"))
  const { [linear]: _, ...others } = pickles
  return {
    name: "quant_details",
    samples: [pickles, { ...others, [`${linear}.safetensors`]: named }],
    read: async (changed) => {
      const details = await readQuantDetails(backend, config, changed)
      releasePacked(details.packed)
      releaseParameters(details.others)
      const { buffers } = backend.usage()
      return buffers === 0 ? undefined : `${buffers} buffers stay allocated`
    }
  }
}
