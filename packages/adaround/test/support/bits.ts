/** Bit patterns of a tensor's numbers: tells 0 from -0. */
import type { Tensor } from "@speedq/tensors"

export const bitsOf = async (tensor: Tensor): Promise<Uint32Array> =>
  new Uint32Array(Float32Array.from(await tensor.read()).buffer)
