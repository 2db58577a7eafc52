/** Pieces of GPTQ: the factor of a Hessian, and the codes of some rows. Both are arithmetic on the host. */
import { type GptqFactor, gptqDefaults, gptqFactor, gptqWeight, type QuantizerChoice } from "@speedq/quantizers"
import { Random, type Tensor } from "@speedq/tensors"
import { filled } from "./filled.ts"
import type { Piece } from "./speeds.ts"

/** Columns of a Hessian that is timed, at most: its factor takes a twentieth of a second. */
const mostColumns = 512

const hessianOf = (columns: number): Float32Array => {
  const random = Random.make(1, "measurement")
  const moments = Float32Array.from({ length: columns ** 2 }, (_, at) =>
    Math.exp(-Math.abs(Math.floor(at / columns) - (at % columns)) / 8)
  )
  for (let i = 0; i < columns; i++) moments[i * (columns + 1)]! += random.nextUniform()
  return moments
}

/** Multiplications with addition: K^3 / 6 each for the Cholesky factor and its inverse. */
export const factorOperations = (columns: number): number => columns ** 3 / 3
/** The same of rounding: each column updates all that come after it. */
export const codeOperations = (rows: number, columns: number): number => (rows * columns ** 2) / 2

export const factorPiece = (wanted: number): Piece => {
  const columns = Math.min(wanted, mostColumns)
  return {
    name: `GPTQ factor of ${columns} columns`,
    amount: factorOperations(columns),
    prepare: () => {
      const hessian = hessianOf(columns)
      const run = async () => {
        gptqFactor("measured", hessian, columns, gptqDefaults)
      }
      return { run, release: () => {} }
    }
  }
}

/** Rows whose codes are timed: their scales must be whole groups, as all rows of a layer have. */
const mostRows = 128

export const codesPiece = (choice: QuantizerChoice, rows: number, wanted: number): Piece => {
  const { group } = choice.quantizer.grid!.extents(choice.config)
  const columns = Math.min(wanted, group * Math.max(1, Math.floor(mostColumns / group)))
  const some = Math.min(rows, mostRows)
  return {
    name: `GPTQ codes of ${some}x${columns}, ${choice.quantizer.id} ${JSON.stringify(choice.config)}`,
    amount: codeOperations(some, columns),
    prepare: (backend) => {
      const weight = filled(backend, [some, columns], 0.02)
      const factor: GptqFactor = gptqFactor("measured", hessianOf(columns), columns, gptqDefaults)
      const run = async () => {
        const stored = await gptqWeight(choice, weight, factor, gptqDefaults)
        for (const each of Object.values<Tensor>(stored)) each.release()
      }
      return { run, release: () => weight.release() }
    }
  }
}
