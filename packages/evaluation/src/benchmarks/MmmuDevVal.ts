/** MMMU_DEV_VAL: college questions with one or several images, choices and open answers; accuracy of split validation */

import { markChoices } from "../scoring/markChoices.ts"
import { openChoice } from "../scoring/openChoice.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const mmmuDevVal: Benchmark = {
  name: "MMMU_DEV_VAL",
  version: 1,
  about: "college questions with one or several images, choices and open answers; accuracy of split validation",
  origin: {
    url: "https://opencompass.openxlab.space/utils/VLMEval/MMMU_DEV_VAL.tsv",
    md5: "585e8ad75e73f75dcad265dfd0417d64"
  },
  columns: ["index", "question", "answer", "A", "B"],
  reportedSplit: "validation",
  maxTiles: 12,
  upscaleFirst2x: true,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: (rows, matcher) => markChoices(rows, matcher, openChoice),
  scoreFile: accuracyFile
}
