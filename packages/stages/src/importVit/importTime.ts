/** How long a tower from elsewhere takes: reading it, and trying its numbers on the grids of their quantizers. */
import { existsSync, statSync } from "node:fs"
import { packNearest } from "@speedq/exports"
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { noGrad, sizeOf } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { filled } from "../measuring/filled.ts"
import { measureSpeeds, type Piece } from "../measuring/speeds.ts"
import { readingSeconds } from "../measuring/storage.ts"
import { type ChosenMatrix, matricesWithin } from "../measuring/weightPieces.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { stageTime } from "../planning/stageTime.ts"
import { placeOnGrid } from "./placeOnGrid.ts"

/** A matrix, cut to the size of a piece, that lies on the grid of its original. */
export const placingPiece = (matrices: readonly ChosenMatrix[]): Piece => {
  const [{ layer, shape, choice }] = matricesWithin(matrices.slice(0, 1)) as [ChosenMatrix]
  return {
    name: `placing of ${shape.join("x")} on the grid of ${choice.quantizer.id} ${JSON.stringify(choice.config)}`,
    amount: sizeOf(shape),
    prepare: async (backend) => {
      const original = filled(backend, shape, 0.02)
      const packed = await packNearest(layer, choice, original).catch((error) => {
        original.release()
        throw error
      })
      const given = noGrad(() => packed.unpack())
      packed.release()
      return {
        run: async () => (await placeOnGrid(layer, choice, given, original)).packed?.release(),
        release: () => {
          for (const each of [original, given]) each.release()
        }
      }
    }
  }
}

interface ImportWork {
  readonly model: PlannedModel
  /** Files of the tower, and what of it are numbers that rules name. */
  readonly files: readonly string[]
  readonly placed: readonly ChosenMatrix[]
  /** Bytes that the tower takes as it is kept. */
  readonly outputBytes: number
  readonly recipe: RecipeSettings
  readonly place: Stage.PlaceInRecipe
}

/** The time of the stage. */
export const importTime = Effect.fnUntraced(function* (given: ImportWork) {
  const { model, placed, outputBytes, recipe, place } = given
  const files = given.files.filter((file) => existsSync(file))
  const measured = yield* measureSpeeds({ placing: placed.length > 0 ? placingPiece(placed) : undefined })
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
  const reading = yield* readingSeconds(files[0], bytes, "weights")
  const weights = placed.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const work = Option.map(measured, ({ seconds, notes }) => ({ seconds: reading + weights * seconds.placing, notes }))
  return yield* stageTime(work, { checkpointBytes: 0, outputBytes, recipe, place, model, steps: 1 })
})
