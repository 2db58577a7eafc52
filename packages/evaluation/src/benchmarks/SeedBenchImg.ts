/** SEEDBench_IMG: multiple choice on scenes, instances and relations; accuracy */

import { markChoices } from "../scoring/markChoices.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const seedBenchImg: Benchmark = {
  name: "SEEDBench_IMG",
  version: 1,
  about: "multiple choice on scenes, instances and relations; accuracy",
  origin: {
    url: "https://opencompass.openxlab.space/utils/benchmarks/SEEDBench/SEEDBench_IMG.tsv",
    md5: "68017231464752261a2526d6ca3a10c0"
  },
  columns: ["index", "question", "answer", "A", "B"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: markChoices,
  scoreFile: accuracyFile
}
