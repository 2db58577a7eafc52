import { elementwise } from "../../backends/native/NativeBody.ts"

export const native = elementwise("addInto", { updates: ["target"], reads: ["x"] })
