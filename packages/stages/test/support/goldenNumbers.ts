/** Golden digests of what stages compute with: quantizers and losses on numbers that are the same everywhere. */
import { decodeLoss, type LossSpec } from "@speedq/distillation"
import { encodeChoice } from "@speedq/quantizers"
import { type Backend, kernelSetVersion, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import { assert } from "vitest"
import { candidates } from "../../../quantizers/test/support/arbitraryWeight.ts"
import { digestOf, type Golden } from "./golden.ts"

const bytesOf = async ({ backend, storage, shape, dtype }: Tensor): Promise<ReadonlyArray<string | Uint8Array>> => [
  `${dtype} ${shape}`,
  Uint8Array.from(await backend.read(storage.handle))
]

/** Numbers without a logarithm or a root, which engines may round each in their way: most small, some large. */
const numbers = (stream: string, length: number): Float32Array => {
  const random = Random.make(3, stream)
  return Float32Array.from({ length }, () => (2 * random.nextUniform() - 1) ** 3 / 8)
}

/** What a quantizer makes of a matrix, under each set of options that its own tests know, and what that stands for. */
export const ofQuantizer = async (backend: Backend, id: string): Promise<Golden> => {
  const choices = candidates.map(({ choice, group, rowUnit }) => ({ choice, shape: [2 * rowUnit, 3 * group] as const }))
  const own = choices.filter(({ choice }) => choice.quantizer.id === id)
  assert.isAbove(own.length, 0, `${id} is among the candidates of packages/quantizers/test`)
  const parts: Array<string | Uint8Array> = []
  for (const { choice, shape } of own) {
    const weight = tensor(backend, numbers("weight", shape[0] * shape[1]), shape)
    const stored = choice.quantizer.quantize(choice.config, weight)
    const back = choice.quantizer.dequantize(choice.config, stored, shape)
    for (const [name, each] of Object.entries(stored).sort()) parts.push(name, ...(await bytesOf(each)))
    parts.push(...(await bytesOf(back)))
    for (const each of [weight, back, ...Object.values<Tensor>(stored)]) each.release()
  }
  return {
    versions: { kernels: kernelSetVersion, [`quantizer ${id}`]: own[0]!.choice.quantizer.version },
    input: digestOf(JSON.stringify(own.map(({ choice, shape }) => [encodeChoice(choice).with, shape]))),
    digest: digestOf(...parts)
  }
}

/** Rows of a loss, and its gradient by the student's logits. */
export const ofLoss = async (backend: Backend, spec: LossSpec): Promise<Golden> => {
  const { loss, config } = decodeLoss(spec)
  const [rows, vocabulary] = [6, 40]
  const logits = (stream: string) =>
    tensor(
      backend,
      numbers(stream, rows * vocabulary).map((value) => 40 * value),
      [rows, vocabulary]
    )
  const gradient = tensor(backend, new Float32Array(rows * vocabulary), [rows, vocabulary])
  const losses = scope(() =>
    loss.rowLoss(config, { confidence: 0.6 }).rows({
      student: logits("student"),
      teacher: logits("teacher"),
      labels: tensor(backend, Int32Array.of(3, 0, -100, 39, 7, 7), [rows], "i32"),
      weights: tensor(backend, Float32Array.of(1, 0.5, 0, 0.25, 1, 1), [rows]),
      gradient
    })
  )
  const golden = {
    versions: { kernels: kernelSetVersion, [`loss ${loss.id}`]: loss.version },
    input: "",
    digest: digestOf(...(await bytesOf(losses)), ...(await bytesOf(gradient)))
  }
  for (const each of [losses, gradient]) each.release()
  return golden
}
