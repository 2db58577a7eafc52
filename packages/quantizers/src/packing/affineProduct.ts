/** Products with a packed weight by its codes: nothing is unpacked but what the codes are decoded with. */
import { fewRows, keep, linearCodes, multipliesCodes, noGrad, type Shape, scope, type Tensor } from "@speedq/tensors"
import type { QuantizedWeight, QuantizerChoice } from "../quantizer/Quantizer.ts"

interface AffineProduct {
  /** x W^T + bias; undefined for more than `fewRows` rows of x, for which unpacking once is less work. */
  readonly linear: (x: Tensor, bias: Tensor | undefined) => Tensor | undefined
  readonly release: () => void
}

/**
 * Products with the weight [out, in] of these packed codes; undefined for a quantizer whose codes are not affine. `others`
 * gives the remaining stored tensors. Scales and zero points are made for the first product and kept: 64 bits a group.
 */
export const affineProduct = (
  { quantizer: { affine }, config }: QuantizerChoice,
  shape: Shape,
  codes: Tensor,
  others: () => QuantizedWeight
): AffineProduct | undefined => {
  const extents = affine?.extents(config)
  if (!affine || !extents || !multipliesCodes(extents.bits, extents.group)) return undefined
  const { bits } = extents
  const makeDecoder = () => {
    const { scale, zero } = scope(() => affine.decoder(config, others(), shape))
    return { scale: keep(scale), zero: keep(zero) }
  }
  let decoder: ReturnType<typeof makeDecoder> | undefined
  return {
    linear: (x, bias) => {
      if (x.size > fewRows * shape[1]!) return undefined
      decoder ??= noGrad(makeDecoder)
      return linearCodes(x, { bits, codes, ...decoder }, bias)
    },
    release: () => {
      decoder?.scale.release()
      decoder?.zero.release()
      decoder = undefined
    }
  }
}
