/** A language model of given shapes for llama.cpp: random weights in Q4_0, each letter a token. */
import { Random, type Shape, sizeOf, toFloat16 } from "@speedq/tensors"
import { type ModelConfig, modelTensors, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { F32 } from "../packages/exports/src/gguf/blocks/floats.ts"
import { Q4_0 } from "../packages/exports/src/gguf/blocks/Q4_0.ts"
import { ggufNames } from "../packages/exports/src/gguf/ggufNames.ts"
import { bool, i32s, string, strings, u32 } from "../packages/exports/src/gguf/metadata.ts"
import { textMetadata } from "../packages/exports/src/gguf/textMetadata.ts"
import { writeGguf } from "../packages/exports/src/gguf/writeGguf.ts"

/** Blocks of random codes with one small scale. */
const randomBlocks = (shape: Shape): Uint8Array => {
  const random = Random.make(3)
  const some = Uint8Array.from({ length: 4096 * Q4_0.bytes }, () => Math.floor(256 * random.nextUniform()))
  const scale = toFloat16(0.005)
  for (let at = 0; at < some.length; at += Q4_0.bytes) some.set([scale & 255, scale >> 8], at)
  const blocks = new Uint8Array((sizeOf(shape) / Q4_0.weights) * Q4_0.bytes)
  for (let at = 0; at < blocks.length; at += some.length) {
    blocks.set(some.subarray(0, Math.min(some.length, blocks.length - at)), at)
  }
  return blocks
}

/** A vocabulary in which each letter is a token, and all others are unused. */
const vocabulary = (rows: number) => ({
  "tokenizer.ggml.model": string("gpt2"),
  "tokenizer.ggml.pre": string("qwen2"),
  "tokenizer.ggml.tokens": strings(
    Array.from({ length: rows }, (_, id) => (id < 94 ? String.fromCharCode(33 + id) : `[${id}]`))
  ),
  "tokenizer.ggml.token_type": i32s(Array.from({ length: rows }, () => 1)),
  "tokenizer.ggml.merges": strings(["! !"]),
  "tokenizer.ggml.eos_token_id": u32(rows - 1),
  "tokenizer.ggml.add_bos_token": bool(false)
})

/** Writes it as one GGUF file. */
export const writeLlamaModel = (path: string, config: ModelConfig) => {
  const tensors = [...modelTensors(config)].flatMap(([name, shape]) => {
    if (towerOf(name) !== "language") return []
    const [type, data] =
      shape.length === 2
        ? [Q4_0, () => randomBlocks(shape)]
        : [F32, () => new Uint8Array(new Float32Array(sizeOf(shape)).fill(0.5).buffer)]
    return [{ name: ggufNames(name)[0]!, type, shape, data: Effect.sync(data) }]
  })
  const { llm_config } = config
  return Effect.runPromise(writeGguf(path, { ...textMetadata(config), ...vocabulary(llm_config.vocab_size) }, tensors))
}
