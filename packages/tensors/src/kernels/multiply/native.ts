import { elementwise } from "../../backends/native/NativeBody.ts"

export const native = elementwise("multiply", { reads: ["a", "b"], writes: ["y"] })
