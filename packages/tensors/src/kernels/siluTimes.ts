/** y = silu(gate) up = gate / (1 + exp(-gate)) up, elementwise: the gate of the decoder's MLP. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { logistic } from "../backends/gpujs/numbers.ts"
import type { WebgpuBody, WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../backends/gpujs/webgpu/wgslText.ts"
import { elementwiseBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseSamples, normals } from "./operands/samples.ts"
import { expectSame } from "./operands/shapeRules.ts"

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** y = gate sigmoid(gate) up */
const reference = ({ gate, up }: Arrays<"gate" | "up">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = gate[i]! * sigmoid(gate[i]!) * up[i]!
}

/** With s = sigmoid(gate): dgate = dy up s (1 + gate (1 - s)), dup = dy gate s */
const referenceGradient = (
  { gate, up, dy }: Arrays<"gate" | "up" | "dy">,
  { dgate, dup }: Arrays<"dgate" | "dup">
): void => {
  for (let i = 0; i < dy.length; i++) {
    const s = sigmoid(gate[i]!)
    dgate[i] = dy[i]! * up[i]! * s * (1 + gate[i]! * (1 - s))
    dup[i] = dy[i]! * gate[i]! * s
  }
}

const helpers = [logistic]

function value(this: Thread, gate: Values, up: Values) {
  return gate[this.thread.x] * logistic(gate[this.thread.x]) * up[this.thread.x]
}

function slopeByGate(this: Thread, gate: Values, up: Values, dy: Values) {
  const s = logistic(gate[this.thread.x])
  return dy[this.thread.x] * up[this.thread.x] * s * (1 + gate[this.thread.x] * (1 - s))
}

function slopeByUp(this: Thread, gate: Values, dy: Values) {
  return dy[this.thread.x] * gate[this.thread.x] * logistic(gate[this.thread.x])
}

const gpujs: GpujsBody<"gate" | "up", "y"> = {
  programs: ({ outputs }) => [elementwiseProgram("y", value, ["gate", "up"], outputs.y, { helpers })]
}

const gpujsGradient: GpujsBody<"gate" | "up" | "dy", "dgate" | "dup"> = {
  programs: ({ outputs }) => [
    elementwiseProgram("dgate", slopeByGate, ["gate", "up", "dy"], outputs.dgate, { helpers }),
    elementwiseProgram("dup", slopeByUp, ["gate", "dy"], outputs.dup, { helpers })
  ]
}

const backward: WgslProgram = {
  reads: ["gate", "up", "dy"],
  writes: ["dgate", "dup"],
  whole: ["size"],
  text: elementwise(`
  let s = 1.0 / (1.0 + exp(-gate[i]));
  dgate[i] = dy[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
  dup[i] = dy[i] * gate[i] * s;`)
}

const webgpuGradient: WebgpuBody<"gate" | "up" | "dy", "dgate" | "dup"> = {
  launches: ({ inputs }) => {
    const size = sizeOf(inputs.gate)
    return [
      {
        program: backward,
        reads: ["gate", "up", "dy"],
        writes: [{ name: "dgate" }, { name: "dup" }],
        whole: [size],
        workgroups: workgroupsOfElements(size)
      }
    ]
  }
}

const native = elementwiseBody("siluTimes", { reads: ["gate", "up"], writes: ["y"] })
const nativeGradient = elementwiseBody("siluTimesGradient", {
  reads: ["gate", "up", "dy"],
  writes: ["dgate", "dup"]
})

export const siluTimesKernel = defineKernel<"gate" | "up", "y", object>({
  name: "siluTimes",
  inputs: { gate: { dtypes: ["f32"] }, up: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ gate, up }) => {
    expectSame("siluTimes", "up", up, "gate", gate)
    return { y: { shape: gate } }
  },
  gradient: {
    saves: { inputs: ["gate", "up"] },
    backward: ({ saved: { gate, up }, cotangents: { y: dy } }) => {
      const { dgate, dup } = apply(siluTimesGradientKernel, { gate, up, dy }, {})
      return { gate: dgate, up: dup }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }) => ({ flops: 14 * sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) =>
    elementwiseSamples((shape) => ({ gate: normals(random, shape, 4), up: normals(random, shape) }), {})
})

export const siluTimesGradientKernel = defineKernel<"gate" | "up" | "dy", "dgate" | "dup", object>({
  name: "siluTimesGradient",
  inputs: { gate: { dtypes: ["f32"] }, up: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dgate", "dup"],
  infer: ({ gate, up, dy }) => {
    expectSame("siluTimesGradient", "up", up, "gate", gate)
    expectSame("siluTimesGradient", "dy", dy, "gate", gate)
    return { dgate: { shape: gate }, dup: { shape: gate } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.gate), bytes: 20 * sizeOf(inputs.gate) }),
  samples: (random) =>
    elementwiseSamples(
      (shape) => ({ gate: normals(random, shape, 4), up: normals(random, shape), dy: normals(random, shape) }),
      {}
    )
})

/** silu(gate) up, elementwise; both of one shape. */
export const siluTimes = (gate: Tensor, up: Tensor): Tensor => apply(siluTimesKernel, { gate, up }, {}).y
