import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { exponentials } from "../../backends/gpujs/webgpu/wgslNumbers.ts"
import { across, largestOverColumns, overColumns, rowwise } from "../../backends/gpujs/webgpu/wgslText.ts"
import type { CrossEntropyAttributes } from "./geometry.ts"

/** Loss and gradient of a row in one launch. Rows that do not count are not looked at. */
const programOf = (graded: boolean): WgslProgram => ({
  reads: ["logits", "labels", "weights"],
  writes: ["loss", ...(graded ? ["gradient"] : [])],
  whole: ["rows", "columns", "weighted"],
  real: ["smoothing", "share"],
  text: `${across}${exponentials}${rowwise(`
  let label = labels[row];
  let counts = select(1.0, weights[row], p.weighted == 1u);
  if (label < 0.0 || counts == 0.0) {
    if (lane == 0u) { loss[row] = 0.0; }
    return;
  }
  ${largestOverColumns("most", "logits[i]")}
  var sum = 0.0;
  var plain = 0.0;
  ${overColumns("sum += power(logits[i] - most); plain += logits[i];")}
  let total = sumAcross(sum, lane);
  let mean = sumAcross(plain, lane) / f32(p.columns);
  if (lane == 0u) {
    let normalizer = most + logarithm(total);
    var value = normalizer - logits[row * p.columns + u32(label)];
    if (p.smoothing > 0.0) { value = (1.0 - p.smoothing) * value + p.smoothing * (normalizer - mean); }
    loss[row] = value;
  }${
    graded
      ? overColumns(`var slope = power(logits[i] - most) / total - p.share;
    if (c == u32(label)) { slope -= 1.0 - p.smoothing; }
    gradient[i] += counts * slope;`)
      : ""
  }`)}`
})

const [plain, graded] = [programOf(false), programOf(true)]

export const webgpu: WebgpuBody<"logits" | "labels" | "weights" | "gradient", "loss", CrossEntropyAttributes> = {
  launches: ({ inputs }, { smoothing }) => {
    const [rows, columns] = inputs.logits as readonly [number, number]
    const [weighted, withGradient] = ["weights" in inputs, "gradient" in inputs]
    return [
      {
        program: withGradient ? graded : plain,
        // Without weights their place is taken by the labels, of which nothing is used there.
        reads: ["logits", "labels", weighted ? "weights" : "labels"],
        writes: [{ name: "loss" }, ...(withGradient ? [{ name: "gradient" }] : [])],
        whole: [rows, columns, Number(weighted)],
        real: [smoothing, smoothing / columns],
        workgroups: inRows(rows)
      }
    ]
  }
}
