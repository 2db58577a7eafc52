/** Pieces of work on weights, whose time goes to memory: the optimizer, fake quantization, rounding, packing. Amounts are weights. */
import { type Block, brecqDefaults, initialRounding, makeLayerGrids, roundingStep } from "@speedq/adaround"
import { packNearest, writtenAs } from "@speedq/exports"
import {
  type ClippingOptions,
  clippedWeight,
  inputMoments,
  learnedGrid,
  magnitudeOf,
  noneQuantizer,
  type PackedWeight,
  type QuantizerChoice,
  searchClipping
} from "@speedq/quantizers"
import {
  adamW,
  add,
  type Backend,
  clipByGlobalNorm,
  linear,
  type MomentFormat,
  noGrad,
  type Parameters,
  Random,
  type Shape,
  scope,
  sizeOf,
  sum,
  type Tensor,
  valueAndGrad
} from "@speedq/tensors"
import { initialGrid, weightOnGrid } from "../training/learnedGrids.ts"
import { filled, type Stored } from "./filled.ts"
import { mostWeights, type Piece, type Prepared } from "./speeds.ts"

/** A matrix with the quantizer that rules gave it. */
export interface ChosenMatrix {
  readonly layer: string
  readonly shape: Shape
  readonly choice: QuantizerChoice
}

/**
 * So many rows of a matrix, or a few less: the same power of two divides them, as far as a layer's kernels care. Quantizers take
 * rows together, and are several times as slow where rows are left over.
 */
const someRows = (rows: number, most: number): number => {
  const together = Math.min(256, rows & -rows, 2 ** Math.floor(Math.log2(Math.max(1, most))))
  return Math.min(rows, Math.max(1, Math.floor(most / together)) * together)
}

/** The first matrices, with no more weights together than a piece has; of a first that is too large some rows. */
export const matricesWithin = <M extends { readonly shape: Shape }>(matrices: readonly M[]): readonly M[] => {
  const taken: M[] = []
  let weights = 0
  for (const matrix of matrices) {
    const [rows = 1, ...rest] = matrix.shape
    const some = someRows(rows, Math.floor((mostWeights - weights) / sizeOf(rest)))
    if (taken.length > 0 && some < rows) break
    taken.push({ ...matrix, shape: [some, ...rest] })
    weights += some * sizeOf(rest)
  }
  return taken
}

/** Weights of matrices together. */
export const weightsOf = (matrices: readonly { readonly shape: Shape }[]): number =>
  matrices.reduce((total, { shape }) => total + sizeOf(shape), 0)

const named = (matrices: readonly { readonly shape: Shape; readonly choice?: QuantizerChoice }[]): string =>
  matrices
    .map(({ shape, choice }) =>
      [shape.join("x"), ...(choice ? [choice.quantizer.id, JSON.stringify(choice.config)] : [])].join(" ")
    )
    .join(", ")

const releasing = (tensors: Parameters) => () => {
  for (const each of Object.values(tensors)) each.release()
}

/** Weights for matrices, by their places. */
const weightsFor = (backend: Backend, matrices: readonly { readonly shape: Shape }[], spread = 0.02): Parameters =>
  scope(() => Object.fromEntries(matrices.map(({ shape }, at) => [at, filled(backend, shape, spread)])))

/** Fake quantization of some matrices, forward and, where it is learned under, back; on grids that are learned, where they can be. */
export const fakeQuantizationPiece = (all: readonly ChosenMatrix[], learned: boolean, learnsGrids = false): Piece => {
  const matrices = matricesWithin(all).map((matrix) => {
    const grid = learnsGrids && matrix.choice.quantizer.id !== noneQuantizer.id ? learnedGrid(matrix.choice) : undefined
    return { ...matrix, grid }
  })
  const each = (at: number) => (given: Parameters) => {
    const { choice, grid } = matrices[at]!
    const { weight, factor, shift } = given
    const made = grid
      ? weightOnGrid(grid, weight!, { factor: factor!, shift })
      : choice.quantizer.fakeQuantize(choice.config, weight!)
    return { loss: sum(made), auxiliary: undefined }
  }
  const grids = matrices.some(({ grid }) => grid !== undefined) ? " on learned grids" : ""
  return {
    name: `fake quantization${grids}${learned ? " and back" : ""} of ${named(matrices)}`,
    amount: weightsOf(matrices),
    prepare: (backend) => {
      const weights = weightsFor(backend, matrices)
      const partsOf = (at: number): Parameters => {
        const { shape, grid } = matrices[at]!
        const { factor, shift } = grid ? initialGrid(backend, shape, grid) : {}
        return { weight: weights[at]!, ...(factor ? { factor } : {}), ...(shift ? { shift } : {}) }
      }
      const quantized = () => matrices.map((_, at) => each(at)(partsOf(at)).loss).reduce((_, last) => last)
      return {
        run: () =>
          scope(() => {
            if (!learned) return noGrad(() => scope(quantized))
            const values = matrices.map((_, at) => scope(() => valueAndGrad(each(at))(partsOf(at)).value))
            return values.at(-1)!
          }),
        release: releasing(weights)
      }
    }
  }
}

/** A step of AdamW on parameters of these shapes, with the norm of their gradients. */
export const optimizerPiece = (all: readonly Shape[], states: MomentFormat = "f32"): Piece => {
  const matrices = matricesWithin(all.map((shape) => ({ shape })))
  return {
    name: `optimizer of ${named(matrices)}${states === "f32" ? "" : ` with moments in ${states}`}`,
    amount: weightsOf(matrices),
    prepare: (backend) => {
      const optimizer = adamW({ states })
      const made = scope(() => {
        const parameters = weightsFor(backend, matrices)
        return { parameters, gradients: weightsFor(backend, matrices, 0.001), initial: optimizer.init(parameters) }
      })
      const { parameters, gradients } = made
      let state = made.initial
      return {
        run: () => {
          const { norm, factor } = noGrad(() => clipByGlobalNorm(gradients, 1))
          state = noGrad(() => optimizer.update(parameters, gradients, state, { learningRate: 1e-6, factor }))
          factor.release()
          return norm
        },
        release: () => {
          for (const tensors of [parameters, gradients, state.m, state.v]) releasing(tensors)()
        }
      }
    }
  }
}

/**
 * What an iteration of AdaRound does besides running its block: the soft weights, and Adam on the rounding variables. Each matrix
 * multiplies a single row.
 */
export const roundingPiece = (all: readonly ChosenMatrix[]): Piece => {
  const matrices = matricesWithin(all)
  const forward = (weights: Parameters, inputs: Tensor): Tensor =>
    matrices
      .map(({ layer, shape: [, columns = 1] }) => sum(linear(filled(inputs.backend, [1, columns], 1), weights[layer]!)))
      .reduce(add)
  return {
    name: `rounding of ${named(matrices)}`,
    amount: weightsOf(matrices),
    prepare: async (backend): Promise<Prepared> => {
      const weights = weightsFor(backend, matrices)
      const layers = Object.fromEntries(
        matrices.map(({ layer, choice }, at) => [layer, { weight: weights[at]!, choice }])
      )
      const grids = await makeLayerGrids("measured", layers).catch((error) => {
        releasing(weights)()
        throw error
      })
      const releaseGrids = () => {
        releasing(weights)()
        for (const grid of Object.values(grids)) grid.release()
      }
      const block: Block = { name: "measured", grids, forward }
      try {
        const { state, batch } = noGrad(() =>
          scope(() => ({
            state: initialRounding(grids, Random.make(0)),
            batch: { inputs: filled(backend, [1], 1), targets: filled(backend, [1], 1) }
          }))
        )
        // Past the warm-up: the penalty is a part of most iterations.
        const late = { ...state, iteration: Math.ceil(brecqDefaults.iterations / 2) }
        return {
          run: () => {
            const { losses } = scope(() => roundingStep(block, late, batch, brecqDefaults))
            losses.rounding?.release()
            return losses.reconstruction
          },
          release: () => {
            releaseGrids()
            for (const { alpha, m, v } of Object.values(state.layers)) releasing({ alpha, m, v })()
            releasing(batch)()
          }
        }
      } catch (error) {
        releaseGrids()
        throw error
      }
    }
  }
}

/** Outputs of a clipping search that is timed, at most. */
const mostOutputs = 128

/** The clipping search of a matrix, by the moments of its inputs. */
export const clippingPiece = (matrix: Shape, options: ClippingOptions): Piece => {
  const shape = [someRows(matrix[0]!, mostOutputs), matrix[1]!]
  return {
    name: `clipping search of ${shape.join("x")} ${JSON.stringify(options)}`,
    amount: sizeOf(shape),
    prepare: (backend) => {
      const { weight, moments } = scope(() => ({
        weight: filled(backend, shape, 0.02),
        moments: inputMoments("measured", filled(backend, [options.sampleTokens, shape[1]!], 1), options)
      }))
      return {
        run: () => noGrad(() => scope(() => sum(searchClipping(weight, moments, options).error))),
        release: releasing({ weight, moments })
      }
    }
  }
}

/** Rounding matrices to nearest and packing their codes. */
export const packingPiece = (all: readonly ChosenMatrix[]): Piece => {
  const matrices = matricesWithin(all)
  return {
    name: `packing of ${named(matrices)}`,
    amount: weightsOf(matrices),
    prepare: (backend) => {
      const weights = weightsFor(backend, matrices)
      const run = async () => {
        for (const [at, { layer, choice }] of matrices.entries()) {
          const packed = await packNearest(layer, choice, weights[at]!)
          packed.release()
        }
      }
      return { run, release: releasing(weights) }
    }
  }
}

/** Numbers as an export in 16 bits makes them, which go nowhere. */
const write = async (numbers: Tensor | PackedWeight): Promise<void> => {
  for await (const _ of writtenAs(numbers, { dtype: "bf16" }));
}

/** Unpacking matrices, and their bytes in 16 bits. */
export const unpackingPiece = (all: readonly ChosenMatrix[]): Piece => {
  const matrices = matricesWithin(all)
  const pack = async (backend: Backend, { layer, shape, choice }: ChosenMatrix) => {
    const weight = filled(backend, shape, 0.02)
    return packNearest(layer, choice, weight).finally(() => weight.release())
  }
  return {
    name: `unpacking of ${named(matrices)}`,
    amount: weightsOf(matrices),
    prepare: async (backend) => {
      const packed: PackedWeight[] = []
      const release = () => {
        for (const each of packed) each.release()
      }
      try {
        for (const matrix of matrices) packed.push(await pack(backend, matrix))
      } catch (error) {
        release()
        throw error
      }
      const run = async () => {
        for (const each of packed) await write(each)
      }
      return { run, release }
    }
  }
}

/** A search of weights for numbers that are none, or too large. */
export const checkingPiece = (numbers: number, stored: Stored): Piece => {
  const size = Math.max(1, Math.min(numbers, mostWeights))
  return {
    name: `checking of ${size} numbers of ${stored}`,
    amount: size,
    prepare: (backend) => {
      const weight = filled(backend, [size], 0.02, stored)
      const run = async () => {
        await magnitudeOf(weight)
      }
      return { run, release: () => weight.release() }
    }
  }
}

/** Values of a group in a clipping that is timed; how many they are hardly matters. */
const groupLength = 16

/** Clipping matrices to ranges of their groups. */
export const clampingPiece = (all: readonly ChosenMatrix[], stored: Stored): Piece => {
  const matrices = matricesWithin(all)
  return {
    name: `clamping of ${named(matrices)}, ${stored}`,
    amount: weightsOf(matrices),
    prepare: (backend) => {
      const tensors = scope(() =>
        Object.fromEntries(
          matrices.flatMap(({ layer, shape: [rows = 1, columns = 1] }, at) => {
            const groups = [rows, columns % groupLength === 0 ? columns / groupLength : 1]
            return [
              [`${at}`, filled(backend, [rows, columns], 0.02, stored)],
              [`${layer}.min`, filled(backend, groups, 0)],
              [`${layer}.max`, filled(backend, groups, 0)]
            ] as const
          })
        )
      )
      const run = () =>
        noGrad(() =>
          scope(() =>
            matrices.map(({ layer }, at) => sum(clippedWeight(layer, tensors[at]!, tensors)!)).reduce((_, last) => last)
          )
        )
      return { run, release: releasing(tensors) }
    }
  }
}

/** Numbers that are not quantized, looked at and given as bytes. */
export const writingPiece = (numbers: number, stored: Stored): Piece => {
  const size = Math.max(1, Math.min(numbers, mostWeights / 2))
  return {
    name: `writing of ${size} numbers of ${stored}`,
    amount: size,
    prepare: (backend) => {
      const parameter = filled(backend, [size], 0.02, stored)
      const run = async () => {
        await magnitudeOf(parameter)
        await write(parameter)
      }
      return { run, release: () => parameter.release() }
    }
  }
}
