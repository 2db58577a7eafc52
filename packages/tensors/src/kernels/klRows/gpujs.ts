import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { logarithm, power } from "../../backends/gpujs/numbers.ts"
import { mostOfRows, sumRows } from "../../backends/gpujs/reductions.ts"
import type { KlAttributes } from "./geometry.ts"

/** Sum of exp((x - most) / T) over part of a row; `sharpness` is 1 / T. */
function sumOfPowers(this: Thread, x: Values, most: Values, sharpness: number) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += power(
        (x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] - most[this.thread.y]) *
          sharpness
      )
    }
  }
  return sum
}

/** log of the sum of exp(x / T): log p = x / T - this. */
function normalizerOf(this: Thread, most: Values, total: Values, sharpness: number) {
  return most[this.thread.x] * sharpness + logarithm(total[this.thread.x])
}

/** Sum of p (log p - log q) over part of a row. */
function divergence(
  this: Thread,
  p: Values,
  normalizerOfP: Values,
  q: Values,
  normalizerOfQ: Values,
  sharpness: number
) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const logP =
        p[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] * sharpness -
        normalizerOfP[this.thread.y]
      const logQ =
        q[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] * sharpness -
        normalizerOfQ[this.thread.y]
      sum += power(logP) * (logP - logQ)
    }
  }
  return sum
}

function accumulated(
  this: Thread,
  gradient: Values,
  student: Values,
  normalizerOfStudent: Values,
  teacher: Values,
  normalizerOfTeacher: Values,
  weights: Values,
  reverse: Values,
  beta: number,
  sharpness: number
) {
  if (weights[this.thread.y] === 0) {
    return gradient[this.thread.y * this.constants.columns + this.thread.x]
  }
  const logS =
    student[this.thread.y * this.constants.columns + this.thread.x] * sharpness - normalizerOfStudent[this.thread.y]
  const logT =
    teacher[this.thread.y * this.constants.columns + this.thread.x] * sharpness - normalizerOfTeacher[this.thread.y]
  const ps = power(logS)
  const slope = (1 - beta) * (ps - power(logT)) + beta * ps * (logS - logT - reverse[this.thread.y])
  return gradient[this.thread.y * this.constants.columns + this.thread.x] + weights[this.thread.y] * slope * sharpness
}

/** 0 for a row of weight 0, whatever was computed for it. */
export function counted(this: Thread, loss: Values, weights: Values) {
  if (weights[this.thread.x] === 0) {
    return 0
  }
  return loss[this.thread.x]
}

const helpers = [logarithm, power]

export const gpujs: GpujsBody<"student" | "teacher" | "weights" | "gradient", "forward" | "reverse", KlAttributes> = {
  programs: ({ inputs, outputs }, { beta, temperature }) => {
    const [rows, columns] = inputs.student as readonly [number, number]
    const scalars = [1 / temperature]
    const normalizer = (x: "student" | "teacher") => [
      ...mostOfRows("most", x, { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: [x, "most"], rows, columns, scalars, helpers }),
      elementwiseProgram(`normalizer of ${x}`, normalizerOf, ["most", "total"], outputs.forward, { scalars, helpers })
    ]
    const between = (output: string, p: string, q: string) =>
      sumRows({
        output,
        part: divergence,
        reads: [p, `normalizer of ${p}`, q, `normalizer of ${q}`],
        rows,
        columns,
        scalars,
        helpers
      })
    return [
      ...normalizer("student"),
      ...normalizer("teacher"),
      ...between("forward", "teacher", "student"),
      ...between("reverse", "student", "teacher"),
      ...("gradient" in inputs
        ? [
            {
              output: "gradient",
              compute: accumulated,
              reads: [
                "gradient",
                "student",
                "normalizer of student",
                "teacher",
                "normalizer of teacher",
                "weights",
                "reverse"
              ],
              scalars: [beta, 1 / temperature],
              constants: { columns },
              extent: [columns, rows],
              helpers
            }
          ]
        : []),
      ...("weights" in inputs
        ? ["forward", "reverse"].map((name) => elementwiseProgram(name, counted, [name, "weights"], outputs.forward))
        : [])
    ]
  }
}
