/** MMBench_DEV_EN_V11: multiple choice under every rotation of the options, English; accuracy of questions */

import { markCircular } from "../scoring/markCircular.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const mmbenchDevEnV11: Benchmark = {
  name: "MMBench_DEV_EN_V11",
  version: 1,
  about: "multiple choice under every rotation of the options, English; accuracy of questions",
  origin: {
    url: "https://opencompass.openxlab.space/utils/benchmarks/MMBench/MMBench_DEV_EN_V11.tsv",
    md5: "30c05be8f2f347a50be25aa067248184"
  },
  columns: ["index", "question", "answer", "A", "B"],
  reportedSplit: "dev",
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: multipleChoicePrompt,
  mark: markCircular,
  scoreFile: accuracyFile
}
