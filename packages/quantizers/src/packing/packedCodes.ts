/**
 * The codes of a packed weight: a bit stream as it is stored, or tiles that products read. The first product lays the tiles and gives up
 * the stream, which is had from them again; both are held only of a weight whose rows are taken as well, as of a tied embedding.
 */
import {
  type Activations,
  type CodedScales,
  type CodedWeight,
  codeWeight,
  fewRows,
  keep,
  linearCodes,
  multipliesCodes,
  noGrad,
  type Shape,
  scope,
  streamOfCodes,
  type Tensor
} from "@speedq/tensors"
import type { QuantizedWeight, QuantizerChoice } from "../quantizer/Quantizer.ts"
import { gridBytes } from "../quantizers/wholeNumbers.ts"

interface PackedCodes {
  /** u8 [out in bits / 8], in the caller's scope. */
  readonly stream: () => Tensor
  /** The same for rows of it, held from now on. */
  readonly streamOfRows: () => Tensor
  /**
   * x W^T + bias by the codes. Undefined for more than `fewRows` rows of x, for which unpacking once is less work, and for a quantizer
   * whose codes are not affine.
   */
  readonly linear: (x: Tensor, bias: Tensor | undefined, activations: Activations) => Tensor | undefined
  readonly release: () => void
}

/** Grid bytes u8 [out, in / g] and scales of a weight, in the caller's scope. */
const decoderOf = (
  { quantizer: { affine }, config }: QuantizerChoice,
  shape: Shape,
  others: QuantizedWeight
): { readonly grid: Tensor } & CodedScales =>
  scope(() => {
    const shared = affine!.sharedScales?.(config, others, shape)
    if (shared !== undefined) {
      const { scaleCodes, zero, origin, step } = shared
      return { grid: gridBytes(zero, scaleCodes), origin, step }
    }
    const { scale, zero } = affine!.decoder(config, others, shape)
    return { grid: gridBytes(zero), scale }
  })

/** Takes over the stream of the codes of a weight [out, in]; `others` gives the remaining stored tensors. */
export const packedCodes = (
  choice: QuantizerChoice,
  shape: Shape,
  stored: Tensor,
  others: () => QuantizedWeight
): PackedCodes => {
  const [rows, columns] = shape as readonly [number, number]
  const extents = choice.quantizer.affine?.extents(choice.config)
  let stream: Tensor | undefined = stored
  let coded: CodedWeight | undefined
  let takesRows = false
  const tensorsOf = ({ codes, grid, origin, step }: CodedWeight): readonly Tensor[] =>
    [codes, grid, origin, step].filter((each) => each !== undefined)
  const streamAgain = (): Tensor => noGrad(() => streamOfCodes(coded!, columns))
  const lay = (bits: number, group: number): CodedWeight => {
    const laid = noGrad(() =>
      codeWeight({ bits, rows, group }, columns, stream!, () => decoderOf(choice, shape, others()))
    )
    for (const each of tensorsOf(laid)) keep(each)
    return laid
  }
  return {
    stream: () => stream?.alias() ?? streamAgain(),
    streamOfRows: () => {
      takesRows = true
      return (stream ??= keep(streamAgain()))
    },
    linear: (x, bias, activations) => {
      if (!extents || !multipliesCodes(extents.bits, extents.group, columns)) return undefined
      if (x.size > fewRows * columns) return undefined
      coded ??= lay(extents.bits, extents.group)
      if (!takesRows) {
        stream?.release()
        stream = undefined
      }
      return linearCodes(x, coded, { bias, activations })
    },
    release: () => {
      stream?.release()
      for (const each of coded ? tensorsOf(coded) : []) each.release()
    }
  }
}
