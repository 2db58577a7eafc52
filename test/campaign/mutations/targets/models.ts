/** Files of models: tensors, torch archives, configurations, tokenizers. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { verifyExport } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import {
  bilevel,
  embeddingSym4,
  n2f3,
  type PackedWeight,
  packedContainer,
  packWeight,
  type QuantizerChoice,
  readPackedContainer,
  uniform
} from "@speedq/quantizers"
import { makeReferenceBackend, scope, tensor } from "@speedq/tensors"
import { loadTokenizer, readModelConfig, readStatistics } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { openTorchFile } from "../../../../packages/stages/src/torch/TorchFile.ts"
import type { Files, MakeTarget } from "../Target.ts"

/** A file of the repository. */
export const here = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url))

/** Some files of a directory of the repository. */
export const filesIn = (directory: string, pattern = /./): Files =>
  Object.fromEntries(
    readdirSync(here(directory), { withFileTypes: true })
      .filter((entry) => entry.isFile() && pattern.test(entry.name))
      .map(({ name }) => [name, readFileSync(join(here(directory), name))])
  )

/** Each file as a sample of its own, under one name where a reader looks for that. */
export const eachOf = (files: Files, as?: string): readonly Files[] =>
  Object.entries(files).map(([name, bytes]) => ({ [as ?? name]: bytes }))

type Entry = readonly [name: string, dtype: string, shape: readonly number[], bytes: number]

/** A safetensors file written from its parts. */
const container = (entries: readonly Entry[], metadata?: object): Uint8Array => {
  let at = 0
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata }
  for (const [name, dtype, shape, bytes] of entries) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes] }
    at += bytes
  }
  const text = Buffer.from(JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(at, 7)])
}

const small = container(
  [
    ["a", "F32", [2, 3], 24],
    ["b", "BF16", [4], 8],
    ["c", "U8", [3], 3]
  ],
  { format: "pt" }
)

export const safetensors: MakeTarget = () => ({
  name: "safetensors",
  samples: [
    { "model.safetensors": small },
    { "model.safetensors": container([["x.weight", "F32", [1], 4]]) },
    { "model.safetensors": container([]) },
    { "model.safetensors": container([["s", "I64", [], 8]], { a: "b", data: '{"x":1}' }) }
  ],
  read: (directory) => {
    const path = join(directory, "model.safetensors")
    const store = Safetensors.openSync(path)
    try {
      let covered = 0
      for (const name of store.tensors.keys()) covered += store.read(name).byteLength
      const bytes = readFileSync(path)
      const data = bytes.length - 8 - Number(bytes.readBigUInt64LE(0))
      return covered === data ? undefined : `tensors cover ${covered} of ${data} bytes`
    } finally {
      store.close()
    }
  }
})

export const shards: MakeTarget = () => ({
  name: "shards",
  samples: [
    {
      "model.safetensors.index.json": Buffer.from(
        JSON.stringify({
          metadata: { total_size: 28 },
          weight_map: { a: "one.safetensors", b: "two.safetensors" }
        })
      ),
      "one.safetensors": container([["a", "F32", [2, 3], 24]]),
      "two.safetensors": container([["b", "F32", [1], 4]])
    }
  ],
  changed: /json$/,
  read: (directory) =>
    Effect.scoped(
      Effect.flatMap(Safetensors.openModel(directory), (store) =>
        Effect.forEach(store.tensors.keys(), (name) => store.read(name), { discard: true })
      )
    )
})

export const torch: MakeTarget = () => ({
  name: "torch",
  samples: eachOf(filesIn("packages/stages/test/fixtures/reference", /\.pt$/), "weights.pt"),
  read: (directory) => {
    const file = openTorchFile(join(directory, "weights.pt"))
    try {
      for (const tensor of file.tensors.values()) tensor.read()
    } finally {
      file.close()
    }
  }
})

export const modelConfig: MakeTarget = () => ({
  name: "config",
  samples: [filesIn("data/nano/config", /^config\.json$/)],
  read: (directory) => void readModelConfig(directory)
})

export const pixelStatistics: MakeTarget = () => ({
  name: "preprocessor",
  samples: [filesIn("data/nano/config", /^preprocessor_config\.json$/)],
  read: (directory) => Effect.asVoid(readStatistics(directory))
})

/** Encodes and decodes a text of all kinds with what was read. */
const speak = (directory: string) =>
  Effect.map(loadTokenizer(directory), (tokenizer) => {
    const text = `what 中 <img> \u0000 color? ${"a".repeat(100)}`
    const back = tokenizer.decode(tokenizer.encode(text))
    return typeof back === "string" ? undefined : "what was encoded is decoded to no text"
  })

/** Of so many merges: those that follow show nothing more. */
const mostMerges = 30

/** The files of nano's tokenizer with its first merges: a token for each byte, those that merges make, and the added ones. */
const smallTokenizer = (): Files => {
  const files = filesIn("data/nano/tokenizer")
  const parsed = (name: string) => JSON.parse(new TextDecoder().decode(files[name]))
  const written = (json: unknown) => Buffer.from(JSON.stringify(json, undefined, 1))
  const whole = parsed("tokenizer.json")
  const merges: readonly (string | readonly [string, string])[] = whole.model.merges.slice(0, mostMerges)
  const pairs = merges.map((merge) => (typeof merge === "string" ? merge : merge.join(" ")))
  const made = new Set(pairs.map((pair) => pair.replace(" ", "")))
  const kept = (vocabulary: object) =>
    Object.fromEntries(Object.entries(vocabulary).filter(([text]) => [...text].length === 1 || made.has(text)))
  return {
    ...files,
    "tokenizer.json": written({ ...whole, model: { ...whole.model, merges, vocab: kept(whole.model.vocab) } }),
    "vocab.json": written(kept(parsed("vocab.json"))),
    "merges.txt": Buffer.from(`#version: 0.2\n${pairs.join("\n")}\n`)
  }
}

export const tokenizerJson: MakeTarget = () => ({
  name: "tokenizer.json",
  samples: [smallTokenizer()],
  changed: /^tokenizer\.json$/,
  read: speak
})

export const vocabulary: MakeTarget = () => {
  const { "tokenizer.json": _, ...files } = smallTokenizer()
  return { name: "vocabulary", samples: [files], read: speak }
}

export const sentencePiece: MakeTarget = () => ({
  name: "sentencepiece",
  samples: eachOf(filesIn("packages/vlm-model/test/fixtures/sentencePiece", /\.model$/), "tokenizer.model"),
  read: speak
})

/** A weight of each quantizer that packs it in its own way, by what they are quantized with. */
const packedChoices: { readonly [layer: string]: QuantizerChoice } = {
  "layers.0.q_proj": bilevel({ bits: 2, group: 16, scaleGroup: 16 }),
  "layers.0.v_proj": uniform({ bits: 3, group: 8 }),
  "layers.0.up_proj": n2f3({ group: 24 }),
  embed_tokens: embeddingSym4()
}

export const packed: MakeTarget = async (scratch) => {
  const backend = makeReferenceBackend()
  const shape = [16, 96]
  const values = Float32Array.from({ length: 16 * 96 }, (_, at) => Math.sin(at))
  const weights = new Map<string, PackedWeight>()
  for (const [name, choice] of Object.entries(packedChoices)) {
    const quantized = choice.quantizer.quantize(choice.config, tensor(backend, values, shape))
    weights.set(name, await packWeight(name, choice, shape, quantized))
  }
  const { entries, metadata } = packedContainer(weights, [])
  const file = join(scratch, "packed.safetensors")
  await Effect.runPromise(Safetensors.write(file, entries, { metadata }))
  return {
    name: "packed",
    samples: [{ "model.safetensors": readFileSync(file) }],
    read: (directory) => {
      const store = Safetensors.openSync(join(directory, "model.safetensors"))
      try {
        for (const weight of readPackedContainer(backend, store).values()) {
          scope(() => void weight.unpack())
          weight.release()
        }
      } finally {
        store.close()
      }
    }
  }
}

/** What an export says of itself: the digests of its files are compared. */
export const description: MakeTarget = () => {
  const weights = Buffer.from("weights")
  const sha256 = createHash("sha256").update(weights).digest("hex")
  const files = { "weights.bin": { bytes: weights.length, sha256 } }
  return {
    name: "quantization.json",
    samples: [
      {
        "quantization.json": Buffer.from(JSON.stringify({ recipe: "nano", layers: {}, files })),
        "weights.bin": weights
      }
    ],
    changed: /json$/,
    read: verifyExport
  }
}
