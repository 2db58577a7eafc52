import type { WebgpuBody, WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { inRows } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { rowwise, threads } from "../../backends/gpujs/webgpu/wgslText.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type DynamicCodesAttributes, dynamicBlock } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

/** The largest magnitude of each block, a workgroup a block: by their patterns, of which that of NaN is the largest. */
const program: WgslProgram = {
  reads: ["x"],
  writes: ["scales"],
  whole: ["rows", "size"],
  text: `
var<workgroup> sizes: array<u32, ${threads}>;
${rowwise(`
  var most = 0u;
  for (var i = lane; i < ${dynamicBlock}u && row * ${dynamicBlock}u + i < p.size; i += ${threads}u) {
    most = max(most, bitcast<u32>(x[row * ${dynamicBlock}u + i]) & 0x7fffffffu);
  }
  sizes[lane] = most;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half >>= 1u) {
    if (lane < half) { sizes[lane] = max(sizes[lane], sizes[lane + half]); }
    workgroupBarrier();
  }
  if (lane == 0u) { scales[row] = bitcast<f32>(sizes[0]); }`)}`
}

export const webgpu: WebgpuBody<"x" | "codes" | "scales", never, DynamicCodesAttributes> = {
  launches: (geometry, attributes) => {
    const size = sizeOf(geometry.inputs.x)
    const blocks = Math.ceil(size / dynamicBlock)
    const scales = {
      program,
      reads: ["x"],
      writes: [{ name: "scales" }],
      whole: [blocks, size],
      workgroups: inRows(blocks)
    }
    return [scales, ...gpujs.programs(geometry, attributes).slice(1)]
  }
}
