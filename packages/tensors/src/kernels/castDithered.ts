/**
 * y = x as bf16, rounded up or down by turns: up in as many of the steps as x is near to the upper of its neighbours. With u the
 * lower 16 bits of the f32 pattern of x and
 *
 *   t(i, step) = (40503 step + 27145 (i mod 256)) mod 2^16
 *
 * the magnitude of element i is rounded up where u + t >= 2^16. Thresholds are a Weyl sequence, spread evenly over the steps and over
 * neighbours: a mean that moves by less than half of a bf16's last place, as Adam's second moment does in most steps, moves on average as
 * it would in f32. Depends on nothing but x, i and the step: a continued run rounds as an uninterrupted one. Below 2^-126 it is 0.
 */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import type { WebgpuBody, WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "../backends/gpujs/webgpu/wgslText.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseShapes, normals } from "./operands/samples.ts"
import { expectInteger, expectSame } from "./operands/shapeRules.ts"

interface CastDitheredAttributes {
  /** Which step this is. */
  readonly step: number
}

/** What the thresholds of a step begin with, 0 to 65535. */
const turnOf = ({ step }: CastDitheredAttributes): number => (40503 * (step % 65536)) % 65536

const reference = (
  { x, y }: Arrays<"x" | "y">,
  _outputs: Arrays<never>,
  _geometry: Geometry<"x" | "y", never>,
  attributes: CastDitheredAttributes
): void => {
  const bits = new DataView(new ArrayBuffer(4))
  const turn = turnOf(attributes)
  for (const [i, value] of x.entries()) {
    bits.setFloat32(0, Math.abs(value))
    const pattern = bits.getUint32(0)
    // Infinity, what is not a number, and subnormal numbers are not rounded.
    if (!(bits.getFloat32(0) < Number.POSITIVE_INFINITY)) y[i] = value
    else if (pattern < 0x800000) y[i] = 0
    else {
      bits.setUint32(0, (pattern + ((turn + 27145 * (i % 256)) % 65536)) & 0xffff0000)
      y[i] = Math.sign(value) * bits.getFloat32(0)
    }
  }
}

/** A positive normal number cut to 7 bits after `up`, a share of the last of them, was added. */
function cutSignificand(size: number, up: number): number {
  let rest = size
  let power = 1
  for (let i = 0; i < 128; i++) {
    if (rest >= 2) {
      rest = rest * 0.5
      power = power * 2
    }
    if (rest < 1) {
      rest = rest * 2
      power = power * 0.5
    }
  }
  return Math.floor(rest * 128 + up) * 0.0078125 * power
}

function dithered(this: Thread, x: Values, turn: number) {
  const value = x[this.thread.x]
  const size = Math.abs(value)
  const sum = (this.thread.x & 255) * 27145 + turn
  const threshold = sum - Math.floor(sum / 65536) * 65536
  if (size < 1.1754943508222875e-38) {
    return 0
  }
  if (size <= 3.4028234663852886e38) {
    const cut = Math.fround(cutSignificand(size, threshold / 65536))
    if (value < 0) {
      return -cut
    }
    return cut
  }
  return value
}

const gpujs: GpujsBody<"x" | "y", never, CastDitheredAttributes> = {
  programs: ({ inputs }, attributes) => [
    elementwiseProgram("y", dithered, ["x"], inputs.y, { helpers: [cutSignificand], scalars: [turnOf(attributes)] })
  ]
}

/** A word of two elements a thread; the pattern of an element is cut after its threshold was added, as the definition has it. */
const program: WgslProgram = {
  reads: ["x"],
  writes: ["y"],
  whole: ["size", "elements", "turn"],
  packs: "bf16",
  text: `
fn dithered(x: f32, i: u32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0x7fc0u; } // NaN
  if (size == 0x7f800000u) { return bits >> 16u; }
  if (size < 0x800000u) { return 0u; }
  return ((size + ((p.turn + 27145u * (i & 255u)) & 0xffffu)) >> 16u) | ((bits >> 16u) & 0x8000u);
}${elementwise(`
  var word = 0u;
  for (var e = 2u * i; e < min(2u * i + 2u, p.elements); e++) { word |= dithered(x[e], e) << ((e & 1u) * 16u); }
  y[i] = word;`)}`
}

const webgpu: WebgpuBody<"x" | "y", never, CastDitheredAttributes> = {
  launches: ({ inputs }, attributes) => {
    const elements = sizeOf(inputs.x)
    const words = Math.ceil(elements / 2)
    return [
      {
        program,
        reads: ["x"],
        writes: [{ name: "y" }],
        whole: [words, elements, turnOf(attributes)],
        workgroups: workgroupsOfElements(words)
      }
    ]
  }
}

const native: NativeBody<"x" | "y", never, CastDitheredAttributes> = (engine, { inputs: { x, y }, attributes }) => {
  engine.rows({
    entry: "castDithered",
    rows: sizeOf(x.shape),
    operands: [reading(x, 4), writing(y, 2)],
    scalars: [turnOf(attributes)]
  })
}

export const castDitheredKernel = defineKernel<"x" | "y", never, CastDitheredAttributes>({
  name: "castDithered",
  inputs: { x: { dtypes: ["f32"] }, y: { dtypes: ["bf16"], updated: true } },
  outputs: [],
  infer: ({ x, y }, { step }) => {
    expectSame("castDithered", "y", y, "x", x)
    expectInteger("castDithered", "step", step, 0)
    return {}
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.x), bytes: 6 * sizeOf(inputs.x) }),
  samples: (random) => [
    ...elementwiseShapes.flatMap((shape) =>
      [1, 70_000].map((step) => ({
        name: `${shape.join("x")} step ${step}`,
        inputs: {
          x: normals(random, shape),
          y: { shape, dtype: "bf16" as const, values: new Uint16Array(sizeOf(shape)) }
        },
        attributes: { step }
      }))
    ),
    {
      name: "edges",
      inputs: {
        x: { shape: [8], values: [0, 1, -1, 1.0000001, 1.99999988, 3.3e38, -1.2e-38, 1e-30] },
        y: { shape: [8], dtype: "bf16" as const, values: new Uint16Array(8) }
      },
      attributes: { step: 5 }
    }
  ],
  tolerance: { relative: 0, absolute: 0 }
})

/** Overwrites `y` [...], bf16, with `x` [...] rounded by turns: up in a share of the steps. */
export const castDithered = (x: Tensor, y: Tensor, step: number): void => {
  apply(castDitheredKernel, { x, y }, { step })
}
