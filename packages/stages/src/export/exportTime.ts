/** How long an export takes: trained weights quantized and packed, the bytes of everything, and the disk. */
import { existsSync } from "node:fs"
import { companionsOf, type ExportChoice } from "@speedq/exports"
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { encodeChoice } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { embeddingAndHead, modelTensors, parameterCount, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { measureSpeeds } from "../measuring/speeds.ts"
import { readingSeconds } from "../measuring/storage.ts"
import { type ChosenMatrix, packingPiece, unpackingPiece, writingPiece } from "../measuring/weightPieces.ts"
import { decidedMatrices } from "../planning/decidingStages.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { stageTime } from "../planning/stageTime.ts"

interface ExportWork {
  readonly choice: ExportChoice
  readonly model: PlannedModel
  readonly recipe: RecipeSettings
  readonly place: Stage.PlaceInRecipe
  /** Bytes of the export, at most. */
  readonly most: number
}

/** Matrices of one quantizer together. */
const byQuantizer = (matrices: readonly ChosenMatrix[]): readonly (readonly ChosenMatrix[])[] => {
  const groups = new Map<string, ChosenMatrix[]>()
  for (const matrix of matrices) {
    const name = JSON.stringify(encodeChoice(matrix.choice))
    groups.set(name, [...(groups.get(name) ?? []), matrix])
  }
  return [...groups.values()]
}

/** Bytes of codes and scales, and of all other parameters in 16 bits. */
const packedBytes = (matrices: readonly ChosenMatrix[], plain: number): number =>
  matrices.reduce(
    (sum, { shape, choice: { quantizer, config } }) => sum + (sizeOf(shape) * quantizer.bitsPerWeight(config)) / 8,
    2 * plain
  )

const weightsOf = (matrices: readonly ChosenMatrix[]): number =>
  matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** Files of the model's directory that are copied, if it is there. */
const copiedFiles = (model: string): number => (existsSync(model) ? companionsOf(model).length : 0)

/** The time of the stage. */
export const exportTime = Effect.fnUntraced(function* ({ choice, model, recipe, place, most }: ExportWork) {
  const { config } = model
  const groups = byQuantizer(yield* decidedMatrices(config, place))
  const asNumbers = !choice.exporter.keepsCodes
  const pieces = groups.flatMap((group, at) => [
    [`packing ${at}`, packingPiece(group)] as const,
    ...(asNumbers ? [[`unpacking ${at}`, unpackingPiece(group)] as const] : [])
  ])
  const plain = parameterCount(config) - groups.reduce((sum, group) => sum + weightsOf(group), 0)
  const written = asNumbers ? most : Math.min(most, packedBytes(groups.flat(), plain))
  const measured = yield* measureSpeeds({
    ...Object.fromEntries(pieces),
    writing: writingPiece(plain, model.stored),
    tensor: writingPiece(1, "f32")
  })
  // Besides what is copied, the tensors and the description are written.
  const smallFiles = copiedFiles(recipe.model) + 2
  const files = { checkpointBytes: 0, outputBytes: written, smallFiles, recipe, place, model, steps: 1 }
  if (Option.isNone(measured)) return yield* stageTime(Option.none(), files)
  const { seconds, notes } = measured.value
  const of = (name: string): number => (seconds as { readonly [name: string]: number })[name] ?? 0
  const work = groups.map((group, at) => {
    // The tower comes packed from the stage that rounded it.
    const packed = weightsOf(group.filter(({ layer }) => towerOf(layer) !== "vision"))
    return packed * of(`packing ${at}`) + weightsOf(group) * of(`unpacking ${at}`)
  })
  const tensors = plain * seconds.writing + modelTensors(config).size * seconds.tensor
  // Trained weights are read in f32 from the stage that trained them.
  const frozen: readonly string[] = embeddingAndHead(config.llm_config)
  const trained = weightsOf(groups.flat().filter(({ layer }) => towerOf(layer) !== "vision" && !frozen.includes(layer)))
  const [file] = model.files
  const reading =
    (yield* readingSeconds(file, 4 * trained, "digest")) + (yield* readingSeconds(file, 4 * trained, "weights"))
  // What was written is read once more, for its digest.
  const total = work.reduce(
    (sum, each) => sum + each,
    reading + tensors + (yield* readingSeconds(file, written, "digest"))
  )
  return yield* stageTime(Option.some({ seconds: total, notes }), files)
})
