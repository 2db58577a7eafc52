import type { WebgpuBody, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../../backends/gpujs/webgpu/wgslText.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { AdamStepAttributes } from "./geometry.ts"

/** Numbers of `adamUpdate`, by their names in WGSL. */
export const adamNames = ["shrink", "beta1", "rest1", "beta2", "rest2", "stepSize", "correction", "epsilon"] as const

export const adamNumbers = (
  { learningRate, beta1, beta2, epsilon, step }: Omit<AdamStepAttributes, "weightDecay" | "decoupled">,
  shrink: number
): readonly number[] => [
  shrink,
  beta1,
  1 - beta1,
  beta2,
  1 - beta2,
  learningRate / (1 - beta1 ** step),
  Math.sqrt(1 - beta2 ** step),
  epsilon
]

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
  if (p.clipped == 1u) { g *= factor[0]; }
  if (p.decay > 0.0) { g += p.decay * parameter[i]; }
  ${adamUpdate("parameter")}`)
}

export const webgpu: WebgpuBody<"parameter" | "m" | "v" | "gradient" | "factor", never, AdamStepAttributes> = {
  launches: ({ inputs }, { weightDecay, decoupled, ...options }) => {
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
          ...adamNumbers(options, decoupled ? 1 - options.learningRate * weightDecay : 1)
        ],
        workgroups: workgroupsOfElements(size)
      }
    ]
  }
}
