import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { type MatmulAttributes, productSize } from "../matmul/geometry.ts"
import { productProgram } from "../matmul/gpujs.ts"

function sum(this: Thread, target: Values, product: Values) {
  return target[this.thread.x] + product[this.thread.x]
}

export const gpujs: GpujsBody<"a" | "b" | "target", never, MatmulAttributes> = {
  programs: ({ inputs }, attributes) => [
    productProgram("product", productSize("matmulInto", inputs.a, inputs.b, attributes), attributes),
    elementwise("target", sum, ["target", "product"], inputs.target)
  ]
}
