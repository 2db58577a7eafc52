/** Matrices with their columns or rows scaled. */
import { scaleRows, type Tensor, tensor, transpose } from "@speedq/tensors"

const vector = ({ backend }: Tensor, values: Float32Array): Tensor => tensor(backend, values, [values.length])

/** Row o of a weight [N, K], or number o of a vector, times factors[o]. In the caller's scope. */
export const scaledRows = (weight: Tensor, factors: Float32Array): Tensor => scaleRows(weight, vector(weight, factors))

/** Column i of a weight [N, K] times factors[i]. In the caller's scope. */
export const scaledColumns = (weight: Tensor, factors: Float32Array): Tensor =>
  transpose(scaledRows(transpose(weight), factors))

export const inverses = (factors: Float32Array): Float32Array => factors.map((factor) => 1 / factor)
