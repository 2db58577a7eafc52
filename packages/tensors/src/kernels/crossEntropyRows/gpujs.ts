import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { logarithm, power } from "../../backends/gpujs/numbers.ts"
import { mostOfRows, plainSumRows, sumRows } from "../../backends/gpujs/reductions.ts"
import { counted } from "../klRows/gpujs.ts"
import { expectRows } from "../operands/shapeRules.ts"
import { sumOfPowers } from "../softmax.ts"
import { type CrossEntropyAttributes, ignoredLabel } from "./geometry.ts"

/** most + log(total): the logarithm of the sum of exp(logits). */
function normalizer(this: Thread, most: Values, total: Values) {
  return most[this.thread.x] + logarithm(total[this.thread.x])
}

function lossOfRow(this: Thread, logits: Values, labels: Values, normalizer: Values, mean: Values, smoothing: number) {
  const label = labels[this.thread.x]
  if (label < 0) {
    return 0
  }
  let loss = normalizer[this.thread.x] - logits[this.thread.x * this.constants.columns + (label | 0)]
  if (this.constants.smoothed === 1) {
    loss = (1 - smoothing) * loss + smoothing * (normalizer[this.thread.x] - mean[this.thread.x])
  }
  return loss
}

function accumulated(
  this: Thread,
  gradient: Values,
  logits: Values,
  labels: Values,
  weights: Values,
  most: Values,
  total: Values,
  smoothing: number,
  share: number
) {
  if (weights[this.thread.y] === 0) {
    return gradient[this.thread.y * this.constants.columns + this.thread.x]
  }
  let slope = 0
  if (labels[this.thread.y] >= 0) {
    slope =
      power(logits[this.thread.y * this.constants.columns + this.thread.x] - most[this.thread.y]) /
        total[this.thread.y] -
      share
    if (labels[this.thread.y] === this.thread.x) {
      slope = slope - (1 - smoothing)
    }
  }
  return gradient[this.thread.y * this.constants.columns + this.thread.x] + weights[this.thread.y] * slope
}

const helpers = [logarithm, power]

export const gpujs: GpujsBody<"logits" | "labels" | "weights" | "gradient", "loss", CrossEntropyAttributes> = {
  check: ({ labels }, { inputs }) => {
    const used = labels.map((label) => (label === ignoredLabel ? 0 : label))
    expectRows("crossEntropyRows", "labels", used, Math.max(1, inputs.logits[1]!))
  },
  programs: ({ inputs, outputs }, { smoothing }) => {
    const [rows, columns] = inputs.logits as readonly [number, number]
    const smoothed = smoothing > 0
    return [
      ...mostOfRows("most", "logits", { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: ["logits", "most"], rows, columns, helpers }),
      elementwiseProgram("normalizer", normalizer, ["most", "total"], outputs.loss, { helpers }),
      ...(smoothed ? plainSumRows("mean", "logits", { rows, columns }, 1 / columns) : []),
      elementwiseProgram(
        "loss",
        lossOfRow,
        ["logits", "labels", "normalizer", smoothed ? "mean" : "most"],
        outputs.loss,
        {
          scalars: [smoothing],
          constants: { columns, smoothed: Number(smoothed) }
        }
      ),
      ...("gradient" in inputs
        ? [
            {
              output: "gradient",
              compute: accumulated,
              reads: ["gradient", "logits", "labels", "weights", "most", "total"],
              scalars: [smoothing, smoothing / columns],
              constants: { columns },
              extent: [columns, rows],
              helpers
            }
          ]
        : []),
      ...("weights" in inputs ? [elementwiseProgram("loss", counted, ["loss", "weights"], outputs.loss)] : [])
    ]
  }
}
