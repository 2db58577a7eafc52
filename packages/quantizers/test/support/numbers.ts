/** Reading tensors in tests. */
import { scope, type Tensor } from "@speedq/tensors"

/** The numbers of what `body` makes; everything it allocates is released. */
export const numbersOf = async (body: () => Tensor): Promise<Float32Array> => {
  const result = scope(body)
  const values = Float32Array.from(await result.read())
  result.release()
  return values
}

/** Bit patterns: tells 0 from -0. */
export const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer)
