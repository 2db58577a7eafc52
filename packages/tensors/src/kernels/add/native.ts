import { elementwise } from "../../backends/native/NativeBody.ts"

export const native = elementwise("add", { reads: ["a", "b"], writes: ["y"] })
