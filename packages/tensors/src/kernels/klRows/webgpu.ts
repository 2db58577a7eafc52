import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { exponentials } from "../../backends/gpujs/webgpu/wgslNumbers.ts"
import { across, largestOverColumns, overColumns, rowwise } from "../../backends/gpujs/webgpu/wgslText.ts"
import type { KlAttributes } from "./geometry.ts"

/** log of the sum of exp(x / T), under a name: log p = x / T - this. */
const normalizer = (name: string, x: string): string => `
  ${largestOverColumns(`most_${name}`, `${x}[i]`)}
  var sum_${name} = 0.0;
  ${overColumns(`sum_${name} += power((${x}[i] - most_${name}) * p.sharpness);`)}
  let ${name} = most_${name} * p.sharpness + logarithm(sumAcross(sum_${name}, lane));`

const logarithms = `let log_s = student[i] * p.sharpness - of_student;
    let log_t = teacher[i] * p.sharpness - of_teacher;`

/** Both divergences of a row and the gradient in one launch. Rows that do not count are not looked at. */
const programOf = (graded: boolean): WgslProgram => ({
  reads: ["student", "teacher", "weights"],
  writes: ["forward", "reverse", ...(graded ? ["gradient"] : [])],
  whole: ["rows", "columns", "weighted"],
  real: ["sharpness", "beta"],
  text: `${across}${exponentials}${rowwise(`
  let counts = select(1.0, weights[row], p.weighted == 1u);
  if (counts == 0.0) {
    if (lane == 0u) {
      forward[row] = 0.0;
      reverse[row] = 0.0;
    }
    return;
  }
  ${normalizer("of_student", "student")}
  ${normalizer("of_teacher", "teacher")}
  var sum_forward = 0.0;
  var sum_reverse = 0.0;
  ${overColumns(`${logarithms}
    sum_forward += power(log_t) * (log_t - log_s);
    sum_reverse += power(log_s) * (log_s - log_t);`)}
  let towards = sumAcross(sum_forward, lane);
  let back = sumAcross(sum_reverse, lane);
  if (lane == 0u) {
    forward[row] = towards;
    reverse[row] = back;
  }${
    graded
      ? overColumns(`${logarithms}
    let p_s = power(log_s);
    let slope = (1.0 - p.beta) * (p_s - power(log_t)) + p.beta * p_s * (log_s - log_t - back);
    gradient[i] += counts * slope * p.sharpness;`)
      : ""
  }`)}`
})

const [plain, graded] = [programOf(false), programOf(true)]

export const webgpu: WebgpuBody<"student" | "teacher" | "weights" | "gradient", "forward" | "reverse", KlAttributes> = {
  launches: ({ inputs }, { beta, temperature }) => {
    const [rows, columns] = inputs.student as readonly [number, number]
    const [weighted, withGradient] = ["weights" in inputs, "gradient" in inputs]
    return [
      {
        program: withGradient ? graded : plain,
        // Without weights their place is taken by the student, of which nothing is used there.
        reads: ["student", "teacher", weighted ? "weights" : "student"],
        writes: [{ name: "forward" }, { name: "reverse" }, ...(withGradient ? [{ name: "gradient" }] : [])],
        whole: [rows, columns, Number(weighted)],
        real: [1 / temperature, beta],
        workgroups: inRows(rows)
      }
    ]
  }
}
