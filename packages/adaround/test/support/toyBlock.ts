/** A block of two Linears, y = x + W2 gelu(W1 x), with calibration samples of its full-precision outputs. */
import type { QuantizerChoice } from "@speedq/quantizers"
import {
  add,
  type Backend,
  gatherRows,
  gelu,
  linear,
  noGrad,
  type Parameters,
  Random,
  reshape,
  scope,
  type Tensor,
  tensor
} from "@speedq/tensors"
import { type Block, type BlockSamples, makeLayerGrids } from "../../src/index.ts"

export const [tokens, width, inner] = [3, 16, 32] as const

const filled = (backend: Backend, shape: readonly number[], next: () => number): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1)
  return tensor(backend, Float32Array.from({ length: size }, next), shape)
}

const forward = ({ w1, w2 }: Parameters, x: Tensor): Tensor => scope(() => add(x, linear(gelu(linear(x, w1!)), w2!)))

export interface Toy {
  readonly block: Block
  /** The full-precision weights. */
  readonly weights: Parameters
  readonly samples: BlockSamples
}

export interface ToyOptions {
  readonly count?: number
  /** Factors of the squared errors. */
  readonly importance?: (random: Random) => number
}

/** The block with both Linears on the grid of a choice, and samples [tokens, width]. */
export const toyBlock = async (
  backend: Backend,
  choice: QuantizerChoice,
  { count = 12, importance }: ToyOptions = {}
): Promise<Toy> => {
  const random = Random.make(5)
  const weights = {
    w1: filled(backend, [inner, width], () => 0.3 * random.nextNormal()),
    w2: filled(backend, [width, inner], () => 0.3 * random.nextNormal())
  }
  const inputs = filled(backend, [count, tokens, width], () => random.nextNormal())
  const targets = noGrad(() => forward(weights, inputs))
  const factors = importance && filled(backend, inputs.shape, () => importance(random))
  const grids = await makeLayerGrids("toy", {
    w1: { weight: weights.w1, choice },
    w2: { weight: weights.w2, choice }
  })
  const rowsOf = (all: Tensor, index: Tensor): Tensor =>
    reshape(gatherRows(reshape(all, [count, tokens * width]), index), [index.size, tokens, width])
  return {
    block: { name: "toy", grids, forward },
    weights,
    samples: {
      count,
      batch: (samples) => {
        const index = tensor(backend, Int32Array.from(samples), [samples.length], "i32")
        return {
          inputs: rowsOf(inputs, index),
          targets: rowsOf(targets, index),
          ...(factors ? { importance: rowsOf(factors, index) } : {})
        }
      }
    }
  }
}
