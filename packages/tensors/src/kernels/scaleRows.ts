/** y[n] = factors[n] x[n]: x [N, ...rest], factors [N]. Stochastic depth of a tile, weights of samples. */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import type { WebgpuBody, WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../backends/gpujs/webgpu/wgslText.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { reshape } from "../core/reshape.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { matmul } from "./matmul/definition.ts"
import { normals } from "./operands/samples.ts"
import { expectRank, expectShape } from "./operands/shapeRules.ts"

/** y[n, i] = factors[n] x[n, i] */
const reference = ({ x, factors }: Arrays<"x" | "factors">, { y }: Arrays<"y">): void => {
  const rest = y.length / factors.length
  for (let i = 0; i < y.length; i++) y[i] = x[i]! * factors[Math.floor(i / rest)]!
}

function scaled(this: Thread, x: Values, factors: Values) {
  return x[this.thread.y * this.constants.rest + this.thread.x] * factors[this.thread.y]
}

const gpujs: GpujsBody<"x" | "factors", "y"> = {
  programs: ({ inputs }) => {
    const rest = sizeOf(inputs.x.slice(1))
    return [
      {
        output: "y",
        compute: scaled,
        reads: ["x", "factors"],
        constants: { rest },
        extent: [rest, inputs.x[0]!]
      }
    ]
  }
}

const program: WgslProgram = {
  reads: ["x", "factors"],
  writes: ["y"],
  whole: ["size", "rest"],
  text: elementwise("  y[i] = x[i] * factors[i / p.rest];")
}

/** A row may be longer than the threads along an axis of the GPU.js program: the hidden states of 2048 tokens are. */
const webgpu: WebgpuBody<"x" | "factors", "y"> = {
  launches: ({ inputs }) => {
    const size = sizeOf(inputs.x)
    const whole = [size, sizeOf(inputs.x.slice(1))]
    const workgroups = workgroupsOfElements(size)
    return [{ program, reads: ["x", "factors"], writes: [{ name: "y" }], whole, workgroups }]
  }
}

const native: NativeBody<"x" | "factors", "y"> = (engine, { inputs: { x, factors }, outputs: { y } }) => {
  const [rows = 0, ...rest] = x.shape
  const columns = sizeOf(rest)
  const operands = [reading(x, 4 * columns), reading(factors, 4), writing(y, 4 * columns)]
  engine.rows({ entry: "scaleRows", rows, operands, scalars: [columns] })
}

export const scaleRowsKernel = defineKernel<"x" | "factors", "y", object>({
  name: "scaleRows",
  inputs: { x: { dtypes: ["f32"] }, factors: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x, factors }) => {
    expectRank("scaleRows", "x", x, 1)
    expectShape("scaleRows", "factors", factors, [x[0]!])
    return { y: { shape: x } }
  },
  gradient: {
    saves: ({ x, factors }) => ({
      inputs: [...(factors ? (["x"] as const) : []), ...(x ? (["factors"] as const) : [])]
    }),
    backward: ({ saved: { x, factors }, cotangents: { y: dy }, wanted, shapes: { inputs } }) => {
      if (!dy) return {}
      const [n, rest] = [inputs.x[0]!, sizeOf(inputs.x.slice(1))]
      // dfactors[n] is the inner product of x[n] and dy[n]: a batch of 1 x rest x 1 products.
      const inner = (x: Tensor) => reshape(matmul(reshape(x, [n, 1, rest]), reshape(dy, [n, rest, 1])), [n])
      return {
        x: wanted.x && factors ? scaleRows(dy, factors) : undefined,
        factors: wanted.factors && x ? inner(x) : undefined
      }
    }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    [[1], [3, 17], [2, 5, 3], [0, 4], [4, 1025], [35, 67]].map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape), factors: normals(random, shape.slice(0, 1)) },
      attributes: {}
    }))
})

/** Multiplies item n of x [N, ...rest] by factors[n]. */
export const scaleRows = (x: Tensor, factors: Tensor): Tensor => apply(scaleRowsKernel, { x, factors }, {}).y
