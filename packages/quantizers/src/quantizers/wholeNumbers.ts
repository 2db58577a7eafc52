/** Zero points between the two forms that kernels want: whole numbers in f32 to compute with, u8 to store. */
import { add, gridCodes, gridDecode, scale, scope, type Tensor, tensor, zeros } from "@speedq/tensors"

/** A grid with a step of 1 from 0, one group a row: on it, a code is the number that it stands for. */
const unitGrid = ({ backend, shape }: Tensor) => {
  const perRow = [shape[0]!, 1]
  return { one: tensor(backend, new Float32Array(shape[0]!).fill(1), perRow), zero: zeros(backend, perRow) }
}

/** f32 [N, G], whole numbers in [0, 2^bits) -> u8. */
export const toStored = (numbers: Tensor, bits: number): Tensor => {
  const { one, zero } = unitGrid(numbers)
  return gridCodes(numbers, one, zero, bits)
}

/** u8 [N, G] -> f32. */
export const fromStored = (codes: Tensor): Tensor => {
  const { one, zero } = unitGrid(codes)
  return gridDecode(codes, one, zero, 8)
}

/** Zero points and scale codes of 4 bits each, f32 [N, G], as the grid bytes u8 [N, G] of a product: scale code + 16 zero. */
export const gridBytes = (zero: Tensor, scaleCodes?: Tensor): Tensor =>
  scope(() => {
    const above = scale(zero, 16)
    return toStored(scaleCodes === undefined ? above : add(above, scaleCodes), 8)
  })
