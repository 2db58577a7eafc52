/** One weight quantized, rounded to nearest, and packed. */
import {
  assertQuantizable,
  type PackedWeight,
  packRows,
  packWeight,
  type QuantizedWeight,
  type QuantizerChoice
} from "@speedq/quantizers"
import { cast, noGrad, scope, type Tensor } from "@speedq/tensors"
import { matrixShape, numberRows, pieceNumbers } from "./numberRows.ts"

const quantizeTo = ({ quantizer, config }: QuantizerChoice, weight: Tensor): QuantizedWeight =>
  noGrad(() => scope(() => quantizer.quantize(config, cast(weight, "f32"))))

/** Rows of the weight, quantized, in pieces of whole bytes. */
async function* quantizedRows(choice: QuantizerChoice, weight: Tensor): AsyncGenerator<QuantizedWeight> {
  const [count] = matrixShape(weight.shape)
  for await (const rows of numberRows(weight, { from: 0, to: count }, 8)) {
    try {
      yield quantizeTo(choice, rows)
    } finally {
      rows.release()
    }
  }
}

/** The weight stays the caller's. Raises NonFiniteWeight, WeightTooLarge. */
export const packNearest = async (layer: string, choice: QuantizerChoice, weight: Tensor): Promise<PackedWeight> => {
  await assertQuantizable(layer, weight, choice)
  if (choice.quantizer.rowwise === true && weight.size > pieceNumbers) {
    return packRows(weight.backend, layer, choice, weight.shape, quantizedRows(choice, weight))
  }
  const quantized = quantizeTo(choice, weight)
  try {
    return await packWeight(layer, choice, weight.shape, quantized)
  } finally {
    for (const tensor of Object.values<Tensor>(quantized)) tensor.release()
  }
}
