import type { WebgpuBody, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { division } from "../../backends/gpujs/webgpu/wgslNumbers.ts"
import { across, main, threads } from "../../backends/gpujs/webgpu/wgslText.ts"
import { sizeOf } from "../../core/Shape.ts"
import { adamNames, adamReals, adamUpdate } from "../adamStep/webgpu.ts"
import { adaroundStretch } from "../adaroundWeight/geometry.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

/** The step in one pass, and the penalty before it, a sum for each workgroup. With h = clamp(range sigmoid + gamma, 0, 1), u = 2 h - 1. */
const step: WgslProgram = {
  reads: ["dy", "weight", "scale", "zero"],
  writes: ["alpha", "m", "v", "parts"],
  whole: ["size", "columns", "group", "groups"],
  real: ["most", "one", "gamma", "range", "exponent", "steepness", ...adamNames],
  text: `${across}${division}${main(`
  var penalty = 0.0;
  for (var i = group.x * ${threads}u + lane; i < p.size; i += groups.x * ${threads}u) {
    let at = i / p.columns * p.groups + i % p.columns / p.group;
    let sigmoid = 1.0 / (1.0 + exp(-alpha[i]));
    let stretched = sigmoid * p.range + p.gamma;
    let h = clamp(stretched, 0.0, 1.0);
    let slope = select(sigmoid * (1.0 - sigmoid) * p.range, 0.0, stretched < 0.0 || stretched > 1.0);
    let u = 2.0 * h - 1.0;
    penalty += 1.0 - pow(abs(u), p.exponent);
    let code = floor(divided(weight[i], scale[at])) + h + zero[at];
    var g = -sign(u) * p.steepness * pow(abs(u), p.exponent - 1.0) * slope;
    if (code >= 0.0 && code <= p.most) { g += dy[i] * scale[at] * slope; }
    ${adamUpdate("alpha")}
  }
  let all = sumAcross(penalty, lane);
  if (lane == 0u) { parts[group.x] = all; }`)}`
}

const addParts: WgslProgram = {
  reads: ["parts"],
  writes: ["rounding"],
  whole: ["size"],
  real: ["lambda"],
  text: `${across}${main(`
  var sum = 0.0;
  for (var i = lane; i < p.size; i += ${threads}u) { sum += parts[i]; }
  let all = sumAcross(sum, lane);
  if (lane == 0u) { rounding[0] = p.lambda * all; }`)}`
}

const mostParts = 1024

type Operands = "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero"

export const webgpu: WebgpuBody<Operands, "rounding", AdaroundStepAttributes> = {
  launches: ({ inputs }, { bits, group, lambda, exponent, ...options }) => {
    const size = sizeOf(inputs.alpha)
    const columns = inputs.alpha[1]!
    const { gamma, zeta } = adaroundStretch
    const count = Math.min(mostParts, Math.max(1, Math.ceil(size / threads)))
    return [
      {
        program: step,
        reads: ["dy", "weight", "scale", "zero"],
        writes: [{ name: "alpha" }, { name: "m" }, { name: "v" }, { name: "parts", size: count }],
        whole: [size, columns, group, columns / group],
        real: [2 ** bits - 1, 1, gamma, zeta - gamma, exponent, 2 * lambda * exponent, ...adamReals(options, 1)],
        workgroups: [count, 1, 1]
      },
      {
        program: addParts,
        reads: ["parts"],
        writes: [{ name: "rounding" }],
        whole: [count],
        real: [lambda],
        workgroups: [1, 1, 1]
      }
    ]
  }
}
