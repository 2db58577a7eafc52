import { fewestRows, productLaunch } from "../../backends/gpujs/webgpu/products.ts"
import type { WebgpuBody } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import { type MatmulAttributes, productSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"

export const webgpu: WebgpuBody<"a" | "b", "y", MatmulAttributes> = {
  launches: (geometry, attributes) => {
    const size = productSize("matmul", geometry.inputs.a, geometry.inputs.b, attributes)
    if (size.m < fewestRows) return gpujs.programs(geometry, attributes)
    const { transposeA: turnsA, transposeB: turnsB } = attributes
    return [productLaunch({ ...size, turnsA, turnsB, a: "a", b: "b", y: { name: "y" } })]
  }
}
