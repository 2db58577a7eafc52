/**
 * Four outputs a workgroup, 64 threads each: a thread decodes eight codes at a time, which lie in one word, and multiplies up to four
 * rows of x by them. Threads are added up in a fixed order. x in bytes is left to the GPU.js programs.
 */
import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { main, threads } from "../../backends/gpujs/webgpu/wgslText.ts"
import { chunkColumns, type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

/** Rows of x that a code is decoded for at a time. */
const rowsTogether = 4
const threadsOfOutput = 64
const outputsTogether = threads / threadsOfOutput
const codesTogether = 8

const program: WgslProgram = {
  reads: ["x", "codes", "grid", "origin", "step", "bias"],
  writes: ["y"],
  whole: ["m", "n", "k", "bits", "mask", "chunks", "steps", "columnsOfStep", "byRows", "sharing", "biased"],
  widened: ["codes", "grid", "origin"],
  text: `
var<workgroup> parts: array<vec4f, ${threads}>;
${main(`
  let output = (group.y * groups.x + group.x) * ${outputsTogether}u + lane / ${threadsOfOutput}u;
  let along = lane % ${threadsOfOutput}u;
  let first = group.z * ${rowsTogether}u;
  let tile = output / 4u;
  let turn = output % 4u;
  // Rows beyond the last are the last, and not written.
  let rows = min(vec4u(first) + vec4u(0u, 1u, 2u, 3u), vec4u(p.m - 1u)) * p.k;
  var sums = vec4f(0.0);
  if (output < p.n) {
    for (var chunk = along; chunk < p.k / ${codesTogether}u; chunk += ${threadsOfOutput}u) {
      let column = chunk * ${codesTogether}u;
      let at = column / p.columnsOfStep;
      let both = u32(grid_at((tile * p.steps + at) * 4u + turn));
      var factor = 0.0;
      if (p.sharing > 0u) {
        let place = (output / p.sharing) * p.steps + at;
        factor = origin_at(place) + step[place] * f32(both & 15u);
      } else if (p.byRows == 1u) {
        factor = origin_at((tile * p.steps + at) * 4u + turn);
      } else {
        factor = origin_at(((tile * p.chunks + at / 4u) * 4u + turn) * 4u + at % 4u);
      }
      let zero = f32(both >> 4u);
      let bit = column * p.bits;
      var word = codes[((tile * p.chunks + (bit >> 7u)) * 4u + turn) * 4u + ((bit >> 5u) & 3u)] >> (bit & 31u);
      for (var c = column; c < column + ${codesTogether}u; c++) {
        let weight = factor * (f32(word & p.mask) - zero);
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

export const webgpu: WebgpuBody<"x" | "codes" | "grid" | "origin" | "step" | "bias", "y", LinearCodesAttributes> = {
  launches: (geometry, attributes) => {
    const { inputs } = geometry
    const { m, n, k, group, byRows, chunks, steps, sharing } = linearCodesExtents(inputs, attributes)
    const { bits, activations } = attributes
    if (activations === "int8") return gpujs.programs(geometry, attributes)
    const columnsOfStep = byRows ? group : chunkColumns(bits) / 4
    const [along, down] = inRows(Math.ceil(n / outputsTogether))
    const biased = "bias" in inputs
    return [
      {
        program,
        // Without a step or a bias its place is taken by an operand of which nothing is used there.
        reads: ["x", "codes", "grid", "origin", sharing > 0 ? "step" : "x", biased ? "bias" : "x"],
        writes: [{ name: "y" }],
        whole: [m, n, k, bits, 2 ** bits - 1, chunks, steps, columnsOfStep, Number(byRows), sharing, Number(biased)],
        workgroups: [along, down, Math.ceil(m / rowsTogether)]
      }
    ]
  }
}
