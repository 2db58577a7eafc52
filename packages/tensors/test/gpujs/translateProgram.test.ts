/**
 * What the webgpu mode takes from inside GPU.js: the text of a program, and where its parameters lie. It fails when gpu.js changes
 * either, whose version is pinned for that: then translateProgram.ts has to follow.
 */
import { GPU } from "gpu.js"
import { assert, describe, it } from "vitest"
import type { GpujsProgram, Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { inPlaceOf, readingOf, translateProgram } from "../../src/backends/gpujs/webgpu/translateProgram.ts"
import { workgroupsOf } from "../../src/backends/gpujs/webgpu/workgroups.ts"
import { useNullGpu } from "./nullDevice.ts"

useNullGpu()

interface WithTable extends Thread {
  readonly constants: { readonly columns: number; readonly table: Float32Array } & Thread["constants"]
}

function mixed(this: WithTable, total: Values, x: Values, factor: number) {
  return (
    total[this.thread.y * this.constants.columns + this.thread.x] * factor +
    x[this.thread.y * this.constants.columns + this.thread.x] * this.constants.table[this.thread.x]
  )
}

const program: GpujsProgram = {
  output: "total",
  compute: mixed as GpujsProgram["compute"],
  reads: ["total", "x"],
  scalars: [0.5],
  sizes: { columns: 3 },
  tables: { table: Float32Array.of(1, 2, 3) },
  extent: [3, 4]
}

describe("translateProgram", () => {
  const gpu = new GPU({ mode: "webgpu" })
  const translated = translateProgram(gpu, "mixed", program)
  const lines = translated.wgsl.split("\n").map((line) => line.trim())

  it("lays the parameters out as the text declares them", () => {
    const { wgsl: _, ...layout } = translated
    assert.deepEqual(layout, {
      workgroup: [8, 8, 1],
      reads: [
        { name: "total", extents: 16 },
        { name: "x", extents: 32 }
      ],
      scalars: [
        { at: 48, whole: false },
        { at: 52, whole: true }
      ],
      tables: ["table"],
      parameterBytes: 64
    })
    assert.deepEqual(lines.slice(lines.indexOf("struct Params {") + 1, lines.indexOf("}")), [
      "outputX : u32,",
      "outputY : u32,",
      "outputZ : u32,",
      "dispatchWidth : u32,",
      "user_total_dims : vec4<u32>,",
      "user_x_dims : vec4<u32>,",
      "user_factor : f32,",
      "user_givenu_ucolumns : i32,"
    ])
  })

  it("binds parameters, operands, the result and tables in that order", () => {
    assert.deepEqual(
      lines.filter((line) => line.startsWith("@group")),
      [
        "@group(0) @binding(0) var<uniform> params : Params;",
        "@group(0) @binding(1) var<storage, read> user_total : array<f32>;",
        "@group(0) @binding(2) var<storage, read> user_x : array<f32>;",
        "@group(0) @binding(3) var<storage, read_write> result : array<f32>;",
        "@group(0) @binding(4) var<storage, read> constants_table : array<f32>;"
      ]
    )
  })

  it("counts threads of one axis over rows of workgroups, and of two and three as they are", () => {
    assert.include(lines, "let data_index : i32 = i32(gid.x + params.outputX * (gid.y + params.outputY * gid.z));")
    const flat = translateProgram(gpu, "flat", { ...program, extent: [12] })
    assert.deepEqual(flat.workgroup, [64, 1, 1])
    assert.include(flat.wgsl, "let flat_index : u32 = gid.x + gid.y * params.dispatchWidth;")
    assert.include(flat.wgsl, "if (flat_index >= params.outputX) { return; }")
  })

  it("reads the operand that a result replaces out of the result", () => {
    const text = inPlaceOf(translated, 0)
    assert.notInclude(text, "user_total :")
    assert.include(text, "return result[u32(x + i32(params.user_total_dims.x)")
    assert.include(text, "@binding(2) var<storage, read> user_x")
    assert.throws(() => inPlaceOf({ ...translated, wgsl: "other text" }, 0), 'reads "total" otherwise')
  })

  it("widens an operand that is packed where it is read", () => {
    const { wgsl } = readingOf(translated, ["f32", "bf16"])
    assert.include(wgsl, "@binding(1) var<storage, read> user_total : array<f32>;")
    assert.include(wgsl, "@binding(2) var<storage, read> user_x : array<u32>;")
    assert.match(
      wgsl,
      /let at = u32\(x \+ i32\(params\.user_x_dims\.x\).*\);\n {2}return widened_bf16\(user_x\[at \/ 2u\], at\);\n}/
    )
    assert.strictEqual(readingOf(translated, ["f32", "f32"]).wgsl, translated.wgsl)
    assert.throws(
      () =>
        readingOf({ ...translated, wgsl: translated.wgsl.replace("return user_x[", "return other[") }, ["f32", "u8"]),
      'reads "x" otherwise'
    )
  })
})

describe("workgroupsOf", () => {
  it("covers every thread once, also where one axis is folded", () => {
    for (const count of [1, 64, 65, 64 * 65535, 64 * 65535 + 1, 2 ** 30]) {
      const { workgroups, threads } = workgroupsOf({ kernel: "any", mode: "gpujs:webgpu" }, [count], [64, 1, 1], 65535)
      assert.isAtMost(Math.max(...workgroups), 65535)
      assert.strictEqual(threads, 64 * workgroups[0])
      assert.isAtLeast(threads * workgroups[1], count)
      assert.isBelow(threads * (workgroups[1] - 1), count, "no row without a thread")
    }
    assert.deepEqual(workgroupsOf({ kernel: "any", mode: "gpujs:webgpu" }, [9, 17, 3], [8, 8, 1], 65535), {
      workgroups: [2, 3, 3],
      threads: 0
    })
  })
})
