import type { WebgpuBody, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../../backends/gpujs/webgpu/wgslText.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { AdamStepAttributes } from "./geometry.ts"

/** Parameter and both moments in place, in one pass over them. Decay of 0 is left out: 0 times infinity would be NaN. */
const program: WgslProgram = {
  reads: ["gradient", "factor"],
  writes: ["parameter", "m", "v"],
  whole: ["size", "clipped"],
  real: ["decay", "shrink", "beta1", "rest1", "beta2", "rest2", "stepSize", "correction", "epsilon"],
  text: elementwise(`
  var g = gradient[i];
  if (p.clipped == 1u) { g *= factor[0]; }
  if (p.decay > 0.0) { g += p.decay * parameter[i]; }
  let first = p.beta1 * m[i] + p.rest1 * g;
  let second = p.beta2 * v[i] + p.rest2 * g * g;
  m[i] = first;
  v[i] = second;
  parameter[i] = parameter[i] * p.shrink - p.stepSize * first / (sqrt(second) / p.correction + p.epsilon);`)
}

export const webgpu: WebgpuBody<"parameter" | "m" | "v" | "gradient" | "factor", never, AdamStepAttributes> = {
  launches: ({ inputs }, { learningRate, beta1, beta2, epsilon, weightDecay, decoupled, step }) => {
    const size = sizeOf(inputs.parameter)
    const clipped = "factor" in inputs
    return [
      {
        program,
        // Without a factor its place is taken by the gradient, of which nothing is read there.
        reads: ["gradient", clipped ? "factor" : "gradient"],
        writes: [{ name: "parameter" }, { name: "m" }, { name: "v" }],
        whole: [size, Number(clipped)],
        real: [
          decoupled ? 0 : weightDecay,
          decoupled ? 1 - learningRate * weightDecay : 1,
          beta1,
          1 - beta1,
          beta2,
          1 - beta2,
          learningRate / (1 - beta1 ** step),
          Math.sqrt(1 - beta2 ** step),
          epsilon
        ],
        workgroups: workgroupsOfElements(size)
      }
    ]
  }
}
