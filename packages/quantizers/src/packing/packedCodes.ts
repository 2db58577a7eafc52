/**
 * The codes of a packed weight: a bit stream as it is stored, or tiles that products read. The first product lays the tiles and gives up
 * the stream, and scales that tiles hold as they are, which are had from them again; both are held only of a weight whose rows are taken
 * as well, as of a tied embedding.
 */
import {
  type Activations,
  type CodedScales,
  type CodedWeight,
  codeWeight,
  fewRowsOfCodes,
  holdsScales,
  isTracked,
  keep,
  linearCodes,
  multipliesCodes,
  noGrad,
  prefersCodes,
  type Shape,
  scalesOfCodes,
  scope,
  streamOfCodes,
  type Tensor
} from "@speedq/tensors"
import type { AffineExtents, QuantizedWeight, QuantizerChoice } from "../quantizer/Quantizer.ts"
import { gridBytes } from "../quantizers/wholeNumbers.ts"

/** A stored tensor that tiles may have taken the place of. */
interface StoredForm {
  /** In the caller's scope. */
  readonly packed: () => Tensor
  /** The same for rows of it, held from now on. */
  readonly ofRows: () => Tensor
}

/** So many rows at most are tokens of answers: the next ones want the tiles again. */
const mostTokens = 4

export interface PackedCodes {
  /** u8 [out in bits / 8] */
  readonly stream: StoredForm
  /** The scales, where they were given. */
  readonly scale: StoredForm | undefined
  /**
   * x W^T + bias by the codes, x of few rows in `activations`. Undefined where unpacking first is less work (`prefersCodes`), for x
   * or a bias that a gradient passes, and for a quantizer whose codes are not affine.
   */
  readonly linear: (x: Tensor, bias: Tensor | undefined, activations: Activations) => Tensor | undefined
  /** Lays the tiles now instead of at the first product, if there will be any. */
  readonly lay: () => void
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

/** Takes over a stored tensor, which `again` makes once it was dropped. */
const droppable = (stored: Tensor, again: () => Tensor) => {
  let held: Tensor | undefined = stored
  const drop = () => {
    held?.release()
    held = undefined
  }
  return {
    packed: () => held?.alias() ?? noGrad(again),
    hold: () => (held ??= keep(noGrad(again))),
    drop
  }
}

/**
 * Takes over the stream of the codes of a weight [out, in], and the scale where nothing else is stored of it but a zero point that all
 * groups share; `others` gives the stored tensors other than the codes.
 */
export const packedCodes = (
  choice: QuantizerChoice,
  shape: Shape,
  stored: { readonly codes: Tensor; readonly scale: Tensor | undefined },
  others: () => QuantizedWeight
): PackedCodes => {
  const [rows, columns] = shape as readonly [number, number]
  const extents = choice.quantizer.affine?.extents(choice.config)
  let coded: CodedWeight | undefined
  let takesRows = false
  const stream = droppable(stored.codes, () => streamOfCodes(coded!, columns))
  const scale = stored.scale && droppable(stored.scale, () => scalesOfCodes(coded!, columns))
  const tensorsOf = ({ codes, grid, origin, step }: CodedWeight): readonly Tensor[] =>
    [codes, grid, origin, step].filter((each) => each !== undefined)
  /** The weight as tiles, which belong to the caller's scope. */
  const lay = ({ bits, group }: AffineExtents): CodedWeight => {
    const decoder = () => {
      const made = decoderOf(choice, shape, others())
      return scale ? { grid: made.grid, scale: scale.packed() } : made
    }
    return noGrad(() => codeWeight({ bits, rows, group }, columns, stream.packed(), decoder))
  }
  const multiplied = extents && multipliesCodes(extents.bits, extents.group, columns) ? extents : undefined
  /** The tiles, which are held from now on. */
  const laid = (affine: AffineExtents): CodedWeight => {
    if (coded !== undefined) return coded
    coded = scope(() => lay(affine))
    for (const each of tensorsOf(coded)) keep(each)
    if (!takesRows) {
      stream.drop()
      if (holdsScales(coded, columns)) scale?.drop()
    }
    return coded
  }
  const formOf = ({ packed, hold }: ReturnType<typeof droppable>): StoredForm => ({
    packed,
    ofRows: () => {
      takesRows = true
      return hold()
    }
  })
  return {
    stream: formOf(stream),
    scale: scale && formOf(scale),
    linear: (x, bias, activations) => {
      const count = x.size / columns
      const isLearned = isTracked(x) || (bias !== undefined && isTracked(bias))
      if (multiplied === undefined || isLearned || !prefersCodes(x.backend, count)) return undefined
      const options = { bias, activations: count <= fewRowsOfCodes ? activations : "f32" }
      if (count <= mostTokens) return linearCodes(x, laid(multiplied), options)
      // Tiles for a prompt, a picture or a step of training go with the product: they take more memory than what is stored.
      return scope(() => linearCodes(x, coded ?? lay(multiplied), options))
    },
    lay: () => {
      if (multiplied !== undefined) laid(multiplied)
    },
    release: () => {
      stream.drop()
      scale?.drop()
      for (const each of coded ? tensorsOf(coded) : []) each.release()
    }
  }
}
