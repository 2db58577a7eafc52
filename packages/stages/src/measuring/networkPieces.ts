/** Pieces of the network: a block of the vision tower, a decoder layer, the head with its losses. Amounts are operations of a forward pass. */
import { type RowLoss, vocabularyLoss } from "@speedq/distillation"
import {
  type Backend,
  linear,
  noGrad,
  type Parameters,
  scope,
  sum,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import {
  decoderLayer,
  decoderLayerName,
  type ModelConfig,
  modelTensors,
  visionBlock,
  visionBlockName,
  weightsFrom
} from "@speedq/vlm-model"
import { languageLayerFlops, linearWeights, visionRowFlops, visionTokens } from "../planning/cost.ts"
import { filled, type Stored } from "./filled.ts"
import { mostOperations, type Piece } from "./speeds.ts"

/** The parameters of one layer: matrices in `stored`, the rest in f32 as loading widens it. */
const layerWeights = (backend: Backend, config: ModelConfig, layer: string, stored: Stored): Parameters =>
  Object.fromEntries(
    [...modelTensors(config)]
      .filter(([name]) => name.startsWith(`${layer}.`))
      .map(([name, shape]) => [name, filled(backend, shape, 0.02, shape.length === 2 ? stored : "f32")])
  )

/** What costs so many operations each: as many as are wanted, if they are not too many. */
const within = (wanted: number, operations: number): number =>
  Math.max(1, Math.min(wanted, Math.floor(mostOperations / operations)))

/** Rows are counted in these, so that pieces of sequences of about one length are one piece. */
const rowsTogether = 16

/** The same of rows that pass products. */
const rowsWithin = (wanted: number, operations: number): number => {
  const rows = within(wanted, operations)
  return rows < wanted ? Math.min(wanted, Math.max(1, Math.floor(rows / rowsTogether)) * rowsTogether) : rows
}

const sizesOf = ({ vision_config: { hidden_size, intermediate_size } }: ModelConfig): string =>
  `${hidden_size}x${intermediate_size}`

/** A function of some tensors, and of no others that are differentiated, as a piece of work: forward alone, or also back. */
const prepared = (make: () => Parameters, learns: (name: string) => boolean, forward: (all: Parameters) => Tensor) => {
  const tensors = scope(make)
  const variables = Object.fromEntries(Object.entries(tensors).filter(([name]) => learns(name)))
  const back = Object.keys(variables).length > 0
  return {
    run: () =>
      scope(() => {
        if (!back) return noGrad(() => scope(() => sum(forward(tensors))))
        const loss = (given: Parameters) => ({ loss: sum(forward({ ...tensors, ...given })), auxiliary: undefined })
        return valueAndGrad(loss)(variables).value
      }),
    release: () => {
      for (const each of Object.values(tensors)) each.release()
    }
  }
}

/** Tiles that pass together, and whether the block learns: by its matrices and its input. */
interface VisionPieceOptions {
  readonly tiles: number
  readonly stored: Stored
  readonly trained: boolean
}

/** A block of the vision tower on tiles, or on a part of one, forward or also back. */
export const visionPiece = (config: ModelConfig, { tiles, stored, trained }: VisionPieceOptions): Piece => {
  const rows = rowsWithin(visionTokens(config), visionRowFlops(config, visionTokens(config)))
  const batch = within(tiles, rows * visionRowFlops(config, rows))
  const layer = visionBlockName(0)
  return {
    name: `vision block ${sizesOf(config)}, ${batch}x${rows} tokens, ${trained ? "trained" : stored}`,
    amount: batch * rows * visionRowFlops(config, rows),
    prepare: (backend) =>
      prepared(
        () => ({
          ...layerWeights(backend, config, layer, trained ? "f32" : stored),
          x: filled(backend, [batch, rows, config.vision_config.hidden_size], 1)
        }),
        () => trained,
        ({ x, ...weights }) => visionBlock(weightsFrom(weights), config.vision_config, layer, x!)
      )
  }
}

/** What passes a decoder layer together, and what is learned. */
interface DecoderPieceOptions {
  readonly batch: number
  readonly tokens: number
  readonly stored: Stored
  /** Forward alone; back to the input; or also to the layer's own parameters. */
  readonly learns: "nothing" | "input" | "all"
}

/** Weights of a layer that is timed, at most: a layer of a large model is made narrower inside, at the same speed of an operation. */
const mostLayerWeights = 2 ** 24

const narrowed = (config: ModelConfig): ModelConfig => {
  const { llm_config: language } = config
  const { hidden_size: width, intermediate_size: inner, num_hidden_layers: layers } = language
  const attention = linearWeights(config, "language") / layers - 3 * width * inner
  const most = Math.max(width, Math.floor((mostLayerWeights - attention) / (3 * width)))
  return inner <= most ? config : { ...config, llm_config: { ...language, intermediate_size: most } }
}

/** A decoder layer on a micro-batch, or on a part of one. */
export const decoderPiece = (
  whole: ModelConfig,
  { batch: wanted, tokens: length, stored, learns }: DecoderPieceOptions
): Piece => {
  const config = narrowed(whole)
  const { llm_config: language } = config
  const tokens = rowsWithin(length, languageLayerFlops(config, length) / length)
  const batch = within(wanted, languageLayerFlops(config, tokens))
  const layer = decoderLayerName(0)
  const { hidden_size: width, intermediate_size: inner } = language
  return {
    name: `decoder layer ${width}x${inner}, ${batch}x${tokens} tokens, ${learns === "all" ? "trained" : `${stored}, ${learns}`}`,
    amount: batch * languageLayerFlops(config, tokens),
    prepare: (backend) => {
      const places = Int32Array.from({ length: batch * tokens }, (_, at) => at % tokens)
      return prepared(
        () => ({
          ...layerWeights(backend, config, layer, learns === "all" ? "f32" : stored),
          x: filled(backend, [batch, tokens, width], 1),
          ids: tensor(backend, places, [batch, tokens], "i32")
        }),
        (name) => (name === "x" ? learns !== "nothing" : name !== "ids" && learns === "all"),
        ({ x, ids, ...weights }) => decoderLayer(weightsFrom(weights), language, 0, x!, { ids: ids! })
      )
    }
  }
}

/** Rows of the vocabulary that a piece has at most: its cost grows with them evenly. */
const mostWords = 8192
const answerRows = 32

/** Losses of some answers, forward and back, over a part of the vocabulary. The amount is rows times words. */
export const lossPiece = (config: ModelConfig, losses: readonly RowLoss[], stored: Stored, teacher: boolean): Piece => {
  const { hidden_size: width, vocab_size } = config.llm_config
  const words = Math.min(vocab_size, mostWords)
  const values = Int32Array.from({ length: answerRows + 1 }, (_, at) => (at === 0 ? -100 : at % words))
  const labels = { values, batch: 1, length: values.length }
  return {
    name: `losses ${losses.map(({ name }) => name).join()} of ${width}x${words}, ${stored}`,
    amount: answerRows * words,
    prepare: (backend) =>
      prepared(
        () => ({
          hidden: filled(backend, [1, values.length, width], 1),
          taught: filled(backend, [1, values.length, width], 1),
          // The student's head is quantized in f32; the teacher's is as it was loaded.
          head: filled(backend, [words, width], 0.02),
          original: filled(backend, [words, width], 0.02, stored)
        }),
        (name) => name === "hidden",
        ({ hidden, taught, head, original }) =>
          vocabularyLoss({
            losses,
            labels,
            student: { hidden: hidden!, weight: head! },
            teacher: teacher ? { hidden: taught!, weight: original! } : undefined
          }).loss
      )
  }
}

/** The head on one token of each row: logits over a part of the vocabulary. The amount is rows times words. */
export const headPiece = (config: ModelConfig, rows: number, stored: Stored): Piece => {
  const { hidden_size: width, vocab_size } = config.llm_config
  const words = Math.min(vocab_size, mostWords)
  return {
    name: `head of ${width}x${words} on ${rows} rows, ${stored}`,
    amount: rows * words,
    prepare: (backend) =>
      prepared(
        () => ({ hidden: filled(backend, [rows, width], 1), head: filled(backend, [words, width], 0.02, stored) }),
        () => false,
        ({ hidden, head }) => linear(hidden!, head!)
      )
  }
}
