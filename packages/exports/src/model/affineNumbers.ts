/** Codes and grid of a packed weight as numbers, for formats that keep them. */
import type { AffineWeight } from "@speedq/quantizers"
import { noGrad, type Tensor } from "@speedq/tensors"

/** The numbers of a tensor, which is released. */
export const readOnce = async <A extends ArrayLike<number>>(tensor: Tensor): Promise<A> => {
  try {
    return (await tensor.read()) as unknown as A
  } finally {
    tensor.release()
  }
}

/** [out, in] */
export const readCodes = ({ codes }: AffineWeight): Promise<Uint8Array> => readOnce(noGrad(codes))

/** Scales and zero points, [out, in / g] each. */
export const readGrid = async ({ grid }: AffineWeight): Promise<{ scale: Float32Array; zero: Float32Array }> => {
  const { scale, zero } = noGrad(grid)
  const [scales, zeros] = await Promise.all([readOnce<Float32Array>(scale), readOnce<Float32Array>(zero)])
  return { scale: scales, zero: zeros }
}
