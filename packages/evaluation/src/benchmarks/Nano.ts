/** nano: this repository's own generated picture questions, the kind of task as category. */

import { markNano } from "../scoring/markNano.ts"
import { accuracyFile } from "../scoring/ScoreFile.ts"
import type { Benchmark } from "./Benchmark.ts"
import { questionWithOptions } from "./prompts.ts"

export const nano: Benchmark = {
  name: "nano",
  version: 1,
  about: "generated questions on shapes, colours, numbers and words; accuracy by kind of task",
  columns: ["index", "question", "answer", "category"],
  maxTiles: 6,
  upscaleFirst2x: false,
  // Its captions are the longest answers, well under a hundred tokens.
  generation: { sample: false, maxNewTokens: 128, temperature: 1, topP: 1 },
  prompt: questionWithOptions,
  mark: markNano,
  scoreFile: accuracyFile
}
