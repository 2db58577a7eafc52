/** MMBench_DEV_CN_V11: multiple choice under every rotation of the options, Chinese; accuracy of questions */

import { markCircular } from "../scoring/markCircular.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { multipleChoicePrompt } from "./prompts.ts"

export const mmbenchDevCnV11: Benchmark = {
  name: "MMBench_DEV_CN_V11",
  version: 1,
  about: "multiple choice under every rotation of the options, Chinese; accuracy of questions",
  origin: {
    url: "https://opencompass.openxlab.space/utils/benchmarks/MMBench/MMBench_DEV_CN_V11.tsv",
    md5: "593f9b5f6bea453d870a798b34ae4f37"
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
