import { fewestRows, productLaunches } from "../../backends/gpujs/webgpu/products.ts"
import type { WebgpuBody } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { type MatmulAttributes, productSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

export const webgpu: WebgpuBody<"a" | "b", "y", MatmulAttributes> = {
  launches: (geometry, attributes, matrices) => {
    const size = productSize("matmul", geometry.inputs.a, geometry.inputs.b, attributes)
    if (size.m < fewestRows) return gpujs.programs(geometry, attributes)
    const { transposeA: turnsA, transposeB: turnsB, arithmetic } = attributes
    const product = { ...size, turnsA, turnsB, a: "a", b: "b", y: { name: "y" } }
    return productLaunches(product, arithmetic === "f32" ? undefined : matrices)
  }
}
