/** The model under evaluation, as a service: images and a text in, a text out. */
import type { RgbImage } from "@speedq/vlm-model"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { GenerationSettings } from "../benchmarks/Benchmark.ts"
import type { AnswerFailed } from "../Errors.ts"

export interface AnswerRequest {
  readonly index: string
  readonly images: readonly RgbImage[]
  /** The user's turn, with one `<image>` mark per image; the chat template is the model's. */
  readonly prompt: string
  /** Most tiles per image, thumbnail not counted. */
  readonly maxTiles: number
  /** Whether the first image is enlarged twofold (bilinear) before tiling. */
  readonly upscaleFirst2x: boolean
  readonly generation: GenerationSettings
}

/** Answers requests; `model` identifies it, so that answers of two models are never mixed when a run continues. */
export class Answerer extends Context.Service<
  Answerer,
  {
    readonly model: string
    readonly answer: (request: AnswerRequest) => Effect.Effect<string, AnswerFailed>
  }
>()("@speedq/evaluation/Answerer") {}
