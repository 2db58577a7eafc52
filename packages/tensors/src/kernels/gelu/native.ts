import { elementwise } from "../../backends/native/NativeBody.ts"

export const native = elementwise("gelu", { reads: ["x"], writes: ["y"] })
export const nativeGradient = elementwise("geluGradient", { reads: ["x", "dy"], writes: ["dx"] })
