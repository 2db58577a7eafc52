/** How long an export takes: trained weights quantized and packed, the bytes of everything, and the disk. */
import type { ExportChoice } from "@speedq/exports"
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { encodeChoice } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { embeddingAndHead, parameterCount, towerOf } from "@speedq/vlm-model"
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
  /** Bytes of the export. */
  readonly written: number
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

const weightsOf = (matrices: readonly ChosenMatrix[]): number =>
  matrices.reduce((sum, { shape }) => sum + sizeOf(shape), 0)

/** The time of the stage. */
export const exportTime = Effect.fnUntraced(function* ({ choice, model, recipe, place, written }: ExportWork) {
  const { config } = model
  const groups = byQuantizer(yield* decidedMatrices(config, place))
  const asNumbers = !choice.exporter.keepsCodes
  const pieces = groups.flatMap((group, at) => [
    [`packing ${at}`, packingPiece(group)] as const,
    ...(asNumbers ? [[`unpacking ${at}`, unpackingPiece(group)] as const] : [])
  ])
  const plain = parameterCount(config) - groups.reduce((sum, group) => sum + weightsOf(group), 0)
  const measured = yield* measureSpeeds({ ...Object.fromEntries(pieces), writing: writingPiece(plain) })
  const files = { checkpointBytes: 0, outputBytes: written, recipe, place, model, steps: 1 }
  if (Option.isNone(measured)) return yield* stageTime(Option.none(), files)
  const { seconds, notes } = measured.value
  const of = (name: string): number => (seconds as { readonly [name: string]: number })[name] ?? 0
  const work = groups.map((group, at) => {
    // The tower comes packed from the stage that rounded it.
    const packed = weightsOf(group.filter(({ layer }) => towerOf(layer) !== "vision"))
    return packed * of(`packing ${at}`) + weightsOf(group) * of(`unpacking ${at}`)
  })
  // Trained weights are read in f32 from the stage that trained them.
  const frozen: readonly string[] = embeddingAndHead(config.llm_config)
  const trained = weightsOf(groups.flat().filter(({ layer }) => towerOf(layer) !== "vision" && !frozen.includes(layer)))
  const reading = yield* readingSeconds(model.files[0], 4 * trained)
  const total = reading + work.reduce((sum, each) => sum + each, plain * seconds.writing)
  return yield* stageTime(Option.some({ seconds: total, notes }), files)
})
