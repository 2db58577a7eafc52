import type { WebgpuBody, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../../backends/gpujs/webgpu/wgslText.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type AdamStepAttributes, adamDecay, adamNumbers } from "./geometry.ts"

/** Numbers of `adamUpdate`, by their names in WGSL, in the order of `adamReals`. */
export const adamNames = ["shrink", "beta1", "rest1", "beta2", "rest2", "stepSize", "correction", "epsilon"] as const

export const adamReals = (options: Parameters<typeof adamNumbers>[0], shrink: number): readonly number[] => {
  const numbers = { shrink, ...adamNumbers(options) }
  return adamNames.map((name) => numbers[name])
}

/** Element `i` of a parameter and of both moments after a step with the gradient `g`. */
export const adamUpdate = (parameter: string): string => `
  let first = p.beta1 * m[i] + p.rest1 * g;
  let second = p.beta2 * v[i] + p.rest2 * g * g;
  m[i] = first;
  v[i] = second;
  ${parameter}[i] = ${parameter}[i] * p.shrink - p.stepSize * first / (sqrt(second) / p.correction + p.epsilon);`

/** Parameter and both moments in place, in one pass over them. Decay of 0 is left out: 0 times infinity would be NaN. */
const program: WgslProgram = {
  reads: ["gradient", "factor"],
  writes: ["parameter", "m", "v"],
  whole: ["size", "clipped"],
  real: ["decay", ...adamNames],
  text: elementwise(`
  var g = gradient[i];
  if (p.clipped == 1u) {
    if (factor[0] < 0.0) { return; }
    g *= factor[0];
  }
  if (p.decay > 0.0) { g += p.decay * parameter[i]; }
  ${adamUpdate("parameter")}`)
}

export const webgpu: WebgpuBody<"parameter" | "m" | "v" | "gradient" | "factor", never, AdamStepAttributes> = {
  launches: ({ inputs }, options) => {
    const size = sizeOf(inputs.parameter)
    const { shrink, added } = adamDecay(options)
    const clipped = "factor" in inputs
    return [
      {
        program,
        // Without a factor its place is taken by the gradient, of which nothing is read there.
        reads: ["gradient", clipped ? "factor" : "gradient"],
        writes: [{ name: "parameter" }, { name: "m" }, { name: "v" }],
        whole: [size, Number(clipped)],
        real: [added, ...adamReals(options, shrink)],
        workgroups: workgroupsOfElements(size)
      }
    ]
  }
}
