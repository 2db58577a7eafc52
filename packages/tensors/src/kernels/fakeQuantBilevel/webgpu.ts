import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { roundings } from "../../backends/gpujs/webgpu/wgslNumbers.ts"
import { elementwise, workgroupsOfElements } from "../../backends/gpujs/webgpu/wgslText.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import { type BilevelAttributes, bilevelExtents } from "./geometry.ts"

/** Threads of a workgroup, which takes as many second-level groups as have their threads in it. */
const threads = 64

/**
 * All of it in one launch. A thread takes one group of weights after the other of its second-level group: their first scales, whose
 * range its threads find together; then the group's scale code, its scale, and the weights on that grid.
 */
const forward: WgslProgram = {
  reads: ["weight"],
  writes: ["y", "scale", "zero"],
  whole: ["rows", "columns", "group", "scaleGroup", "scaleGroups", "lanes", "f16", "exact", "bf16"],
  real: ["most", "one"],
  text: `${roundings}
var<workgroup> lows: array<f32, ${threads}>;
var<workgroup> highs: array<f32, ${threads}>;

/** Of the weights of group \`row\`, from \`start\` on: scale and zero point before the second level. */
fn firstLevel(start: u32) -> vec2f {
  var low = weight[start];
  var high = low;
  for (var i = 1u; i < p.group; i++) {
    let w = weight[start + i];
    if (w < low) { low = w; }
    if (w > high) { high = w; }
  }
  low = rounded(low);
  high = rounded(high);
  if (low == high) {
    low = -1.0;
    high = 1.0;
  }
  let scale = max(rounded(divided(rounded(high - low), p.most)), 1e-5);
  return vec2f(scale, clamp(round(rounded(divided(-low, scale))), 0.0, p.most));
}
fn startOf(row: u32) -> u32 { return (row % p.rows) * p.columns + (row / p.rows) * p.group; }
fn scaleCode(scale: f32, step: f32, origin: f32) -> f32 {
  if (p.f16 == 1u) { return clamp(round(rounded(divided(rounded(scale - origin), step))), 0.0, 15.0); }
  return clamp(round(rounded(rounded(divided(scale, max(step, 1e-9))) + origin)), 0.0, 15.0);
}
fn scaleOf(code: f32, step: f32, origin: f32) -> f32 {
  if (p.f16 == 1u) { return rounded(origin + rounded(step * code) * p.one); }
  return rounded(step * rounded(code - origin));
}

@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32
) {
  let slot = lane / p.lanes;
  let own = lane % p.lanes;
  let index = (group.y * groups.x + group.x) * (${threads}u / p.lanes) + slot;
  let first = index * p.scaleGroup;
  var low = 3e38;
  var high = -3e38;
  if (index < p.scaleGroups) {
    for (var i = own; i < p.scaleGroup; i += p.lanes) {
      let scale = firstLevel(startOf(first + i)).x;
      low = min(low, scale);
      high = max(high, scale);
    }
  }
  lows[lane] = low;
  highs[lane] = high;
  workgroupBarrier();
  if (index >= p.scaleGroups) { return; }
  for (var i = slot * p.lanes; i < (slot + 1u) * p.lanes; i++) {
    low = min(low, lows[i]);
    high = max(high, highs[i]);
  }
  // A range of nothing becomes [-1, 1], or keeps its scale with origin -1 and code 0.
  let flat = p.f16 == 0u && low == high;
  let below = select(low, -1.0, flat);
  var step = max(rounded(divided(rounded(select(high, 1.0, flat) - below), 15.0)), 1e-5);
  var origin = rounded(divided(-below, step));
  if (p.f16 == 1u) {
    step = roundFloat16(step);
    origin = roundFloat16(low);
  }
  if (flat && p.exact == 1u) {
    step = low;
    origin = -1.0;
  }
  for (var i = own; i < p.scaleGroup; i += p.lanes) {
    let row = first + i;
    let start = startOf(row);
    let found = firstLevel(start);
    let used = scaleOf(scaleCode(found.x, step, origin), step, origin);
    scale[row] = used;
    zero[row] = found.y;
    for (var at = start; at < start + p.group; at++) {
      let steps = rounded(divided(rounded(weight[at]), max(used, 1e-9)));
      let code = clamp(round(rounded(steps + found.y)), 0.0, p.most);
      y[at] = rounded(used * rounded(code - found.y));
    }
  }
}`
}

/** dy where -scale zero <= w <= scale (2^b - 1 - zero), 0 elsewhere. */
const backward: WgslProgram = {
  reads: ["dy", "weight", "scale", "zero"],
  writes: ["dweight"],
  whole: ["size", "rows", "columns", "group", "bf16"],
  real: ["most", "one"],
  text: `${roundings}${elementwise(`
  let at = (i % p.columns) / p.group * p.rows + i / p.columns;
  let w = rounded(weight[i]);
  let passes = w >= -rounded(scale[at] * zero[at]) && w <= rounded(scale[at] * rounded(p.most - zero[at]));
  dweight[i] = select(0.0, dy[i], passes);`)}`
}

/** Threads that share a second-level group: a power of two. */
const lanesOf = (scaleGroup: number): number => Math.min(threads, 2 ** Math.ceil(Math.log2(scaleGroup)))

const settings = (weight: Shape, attributes: BilevelAttributes) => {
  const { rows, columns, scaleGroups } = bilevelExtents("fakeQuantBilevel", weight, attributes)
  return {
    rows,
    columns,
    scaleGroups,
    bf16: Number(attributes.arithmetic === "bf16"),
    real: [2 ** attributes.bits - 1, 1]
  }
}

export const webgpu: WebgpuBody<"weight", "y" | "scale" | "zero", BilevelAttributes> = {
  launches: ({ inputs: { weight } }, attributes) => {
    const { rows, columns, scaleGroups, bf16, real } = settings(weight, attributes)
    const { group, scaleGroup, secondLevel, commonScale } = attributes
    const lanes = lanesOf(scaleGroup)
    const [f16, exact] = [Number(secondLevel === "f16"), Number(commonScale === "exact")]
    return [
      {
        program: forward,
        reads: ["weight"],
        writes: [{ name: "y" }, { name: "scale" }, { name: "zero" }],
        whole: [rows, columns, group, scaleGroup, scaleGroups, lanes, f16, exact, bf16],
        real,
        workgroups: inRows(Math.ceil((scaleGroups * lanes) / threads))
      }
    ]
  }
}

export const webgpuGradient: WebgpuBody<"dy" | "weight" | "scale" | "zero", "dweight", BilevelAttributes> = {
  launches: ({ inputs: { weight } }, attributes) => {
    const { rows, columns, bf16, real } = settings(weight, attributes)
    const size = sizeOf(weight)
    return [
      {
        program: backward,
        reads: ["dy", "weight", "scale", "zero"],
        writes: [{ name: "dweight" }],
        whole: [size, rows, columns, attributes.group, bf16],
        real,
        workgroups: workgroupsOfElements(size)
      }
    ]
  }
}
