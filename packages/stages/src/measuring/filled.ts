/** Tensors for measurements: numbers as ordinary as those of a model, quickly made. */
import { type Backend, generate, Random, type Shape, type Tensor, toBfloat16, viewAs } from "@speedq/tensors"

/** A thousand different numbers, over and over. */
const some = (): readonly number[] => {
  const random = Random.make(1, "measurement")
  return Array.from({ length: 1021 }, () => random.nextNormal())
}
let drawn: readonly number[] | undefined

/** What the frozen weights of a model are held in. */
export type Stored = "f32" | "bf16"

/** Normal numbers, `spread` wide. The caller's scope has the tensor. */
export const filled = (backend: Backend, shape: Shape, spread: number, dtype: Stored = "f32"): Tensor => {
  drawn ??= some()
  const numbers = drawn.map((number) => spread * number)
  const stored = dtype === "f32" ? Float32Array.from(numbers) : Uint16Array.from(numbers, toBfloat16)
  return generate(backend, { shape, dtype }, (bytes) => {
    const values = viewAs(dtype, bytes)
    for (let i = 0; i < values.length; i += stored.length) {
      const length = Math.min(stored.length, values.length - i)
      ;(values as typeof stored).set(stored.subarray(0, length) as never, i)
    }
  })
}
