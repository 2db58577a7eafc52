/**
 * Four outputs a workgroup, 64 threads each: a thread decodes eight codes at a time, which lie in one word, and multiplies up to four
 * rows of x by them. Threads are added up in a fixed order.
 */
import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { main, threads } from "../../backends/gpujs/webgpu/wgslText.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

/** Rows of x that a code is decoded for at a time. */
const rowsTogether = 4
const threadsOfOutput = 64
const outputsTogether = threads / threadsOfOutput
const codesTogether = 8

const program: WgslProgram = {
  reads: ["x", "codes", "scale", "zero", "bias"],
  writes: ["y"],
  whole: ["m", "n", "k", "group", "bits", "mask", "biased"],
  widened: ["codes"],
  text: `
var<workgroup> parts: array<vec4f, ${threads}>;
${main(`
  let output = (group.y * groups.x + group.x) * ${outputsTogether}u + lane / ${threadsOfOutput}u;
  let along = lane % ${threadsOfOutput}u;
  let first = group.z * ${rowsTogether}u;
  // Rows beyond the last are the last, and not written.
  let rows = min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(p.m - 1u)) * p.k;
  var sums = vec4f(0.0);
  if (output < p.n) {
    for (var chunk = along; chunk < p.k / ${codesTogether}u; chunk += ${threadsOfOutput}u) {
      let column = chunk * ${codesTogether}u;
      let place = output * (p.k / p.group) + column / p.group;
      let factor = scale[place];
      let origin = zero[place];
      let bit = (output * p.k + column) * p.bits;
      var word = codes[bit >> 5u] >> (bit & 31u);
      for (var c = column; c < column + ${codesTogether}u; c++) {
        let weight = factor * (f32(word & p.mask) - origin);
        word >>= p.bits;
        sums = fma(vec4f(x[rows.x + c], x[rows.y + c], x[rows.z + c], x[rows.w + c]), vec4f(weight), sums);
      }
    }
  }
  parts[lane] = sums;
  workgroupBarrier();
  for (var half = ${threadsOfOutput / 2}u; half > 0u; half >>= 1u) {
    if (along < half) { parts[lane] += parts[lane + half]; }
    workgroupBarrier();
  }
  if (along > 0u || output >= p.n) { return; }
  var offset = 0.0;
  if (p.biased == 1u) { offset = bias[output]; }
  for (var row = first; row < min(first + ${rowsTogether}u, p.m); row++) {
    y[row * p.n + output] = parts[lane][row - first] + offset;
  }`)}`
}

/** Bits are counted in 32 of their own. */
const mostBits = 2 ** 32

export const webgpu: WebgpuBody<"x" | "codes" | "scale" | "zero" | "bias", "y", LinearCodesAttributes> = {
  launches: (geometry, attributes) => {
    const { inputs } = geometry
    const { m, n, k, group } = linearCodesExtents(inputs, attributes)
    const { bits } = attributes
    if (n * k * bits >= mostBits) return gpujs.programs(geometry, attributes)
    const [along, down] = inRows(Math.ceil(n / outputsTogether))
    const biased = "bias" in inputs
    return [
      {
        program,
        // Without a bias its place is taken by x, of which nothing is used there.
        reads: ["x", "codes", "scale", "zero", biased ? "bias" : "x"],
        writes: [{ name: "y" }],
        whole: [m, n, k, group, bits, 2 ** bits - 1, Number(biased)],
        workgroups: [along, down, Math.ceil(m / rowsTogether)]
      }
    ]
  }
}
