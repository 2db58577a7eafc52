/** Numbers of tensors that are made, read and released. */
import { scope, type Tensor } from "../../src/index.ts"

/** Reads what `body` returns; everything it allocates is released. */
export const read = async (body: () => Tensor): Promise<ArrayLike<number>> => {
  const tensor = scope(body)
  const values = await tensor.read()
  tensor.release()
  return values
}

/** Like `read`, for two. */
export const both = async (
  body: () => readonly [Tensor, Tensor]
): Promise<readonly [ArrayLike<number>, ArrayLike<number>]> => {
  const [first, second] = scope(body)
  const values = [await first.read(), await second.read()] as const
  first.release()
  second.release()
  return values
}
