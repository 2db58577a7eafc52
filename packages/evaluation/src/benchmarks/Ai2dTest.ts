/** AI2D_TEST: multiple choice on science diagrams with masked labels; accuracy */

import { markChoices } from "../scoring/markChoices.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const ai2dTest: Benchmark = {
  name: "AI2D_TEST",
  version: 1,
  about: "multiple choice on science diagrams with masked labels; accuracy",
  origin: {
    url: "https://opencompass.openxlab.space/utils/VLMEval/AI2D_TEST.tsv",
    md5: "0f593e0d1c7df9a3d69bf1f947e71975"
  },
  columns: ["index", "question", "answer", "A", "B"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: markChoices,
  scoreFile: accuracyFile
}
