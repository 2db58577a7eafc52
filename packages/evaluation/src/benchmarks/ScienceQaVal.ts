/** ScienceQA_VAL: multiple choice on school science; accuracy */

import { markChoices } from "../scoring/markChoices.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const scienceQaVal: Benchmark = {
  name: "ScienceQA_VAL",
  version: 1,
  about: "multiple choice on school science; accuracy",
  origin: {
    url: "https://opencompass.openxlab.space/utils/benchmarks/ScienceQA/ScienceQA_VAL.tsv",
    md5: "96320d05e142e585e7204e72affd29f3"
  },
  columns: ["index", "question", "answer", "A", "B"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: markChoices,
  scoreFile: accuracyFile
}
