/** OCRBench: reading text in 1000 images; points out of 1000 */

import { firstText, markTexts, textsFile } from "../scoring/markTexts.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { shortAnswerPrompt } from "./prompts.ts"

export const ocrBench: Benchmark = {
  name: "OCRBench",
  version: 2,
  about: "reading text in 1000 images; points out of 1000",
  origin: {
    url: "https://opencompass.openxlab.space/utils/VLMEval/OCRBench.tsv",
    md5: "e953d98a987cc6e26ef717b61260b778"
  },
  columns: ["index", "question", "answer", "category"],
  unit: "points",
  maxTiles: 24,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: shortAnswerPrompt,
  answer: firstText,
  mark: markTexts,
  scoreFile: textsFile
}
