/** MMStar: multiple choice that needs the image; accuracy */

import { markChoices } from "../scoring/markChoices.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const mmStar: Benchmark = {
  name: "MMStar",
  version: 1,
  about: "multiple choice that needs the image; accuracy",
  origin: {
    url: "https://opencompass.openxlab.space/utils/VLMEval/MMStar.tsv",
    md5: "e1ecd2140806c1b1bbf54b43372efb9e"
  },
  columns: ["index", "question", "answer", "A", "B"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: markChoices,
  scoreFile: accuracyFile
}
