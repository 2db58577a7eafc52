/** How long an export takes: trained weights quantized and packed, the bytes of everything, and the disk. */
import { existsSync } from "node:fs"
import { companionsOf, type ExportChoice } from "@speedq/exports"
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { sizeOf } from "@speedq/tensors"
import { embeddingAndHead, modelTensors, parameterCount, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { measureSpeeds } from "../measuring/speeds.ts"
import { readingSeconds } from "../measuring/storage.ts"
import { type ChosenMatrix, weightsOf, writingPiece } from "../measuring/weightPieces.ts"
import { decidedMatrices } from "../planning/decidingStages.ts"
import { deploymentPieces } from "../planning/deployment.ts"
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

/** Bytes of codes and scales, and of all other parameters in 16 bits. */
const packedBytes = (matrices: readonly ChosenMatrix[], plain: number): number =>
  matrices.reduce(
    (sum, { shape, choice: { quantizer, config } }) => sum + (sizeOf(shape) * quantizer.bitsPerWeight(config)) / 8,
    2 * plain
  )

/** Files of the model's directory that are copied, if it is there. */
const copiedFiles = (model: string): number => (existsSync(model) ? companionsOf(model).length : 0)

/** The time of the stage. */
export const exportTime = Effect.fnUntraced(function* ({ choice, model, recipe, place, most }: ExportWork) {
  const { config, stored, files } = model
  const matrices = yield* decidedMatrices(config, place)
  const asNumbers = !choice.exporter.keepsCodes
  // The tower comes packed from the stage that rounded it.
  const isPacked = (layer: string) => towerOf(layer) === "vision"
  const { pieces, secondsBy } = deploymentPieces({ matrices, unpacks: asNumbers, isPacked })
  const plain = parameterCount(config) - weightsOf(matrices)
  const written = asNumbers ? most : Math.min(most, packedBytes(matrices, plain))
  const measured = yield* measureSpeeds<string>({
    ...pieces,
    writing: writingPiece(plain, stored),
    tensor: writingPiece(1, "f32")
  })
  // Trained weights are read in f32 from the stage that trained them.
  const frozen: readonly string[] = embeddingAndHead(config.llm_config)
  const trained = 4 * weightsOf(matrices.filter(({ layer }) => !isPacked(layer) && !frozen.includes(layer)))
  const reading = yield* readingSeconds(files[0], trained, "weights")
  // What an earlier stage wrote is read for its digest, and so is what this one wrote.
  const digesting = yield* readingSeconds(files[0], trained + written, "digest")
  const work = Option.map(measured, ({ seconds, notes }) => {
    const tensors = plain * seconds.writing! + modelTensors(config).size * seconds.tensor!
    return { seconds: secondsBy(seconds) + tensors + reading + digesting, notes }
  })
  // Besides what is copied, the tensors and the description are written.
  const smallFiles = copiedFiles(recipe.model) + 2
  return yield* stageTime(work, {
    ...{ recipe, place, model, steps: 1, smallFiles },
    ...{ checkpointBytes: 0, outputBytes: written }
  })
})
