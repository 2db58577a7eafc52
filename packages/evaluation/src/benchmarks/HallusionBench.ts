/** HallusionBench: yes/no questions on illusions and charts; mean of accuracy per question, per figure and per question group */

import { hallusionsFile, markHallusions } from "../scoring/markHallusions.ts"
import { type Benchmark, greedyGeneration } from "./Benchmark.ts"
import { yesNoPrompt } from "./prompts.ts"

export const hallusionBench: Benchmark = {
  name: "HallusionBench",
  version: 1,
  about: "yes/no questions on illusions and charts; mean of accuracy per question, per figure and per question group",
  origin: {
    url: "https://opencompass.openxlab.space/utils/VLMEval/HallusionBench.tsv",
    md5: "0c23ac0dc9ef46832d7a24504f2a0c7c"
  },
  columns: ["index", "question", "answer", "l2-category"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: greedyGeneration,
  prompt: yesNoPrompt,
  mark: markHallusions,
  scoreFile: hallusionsFile
}
