import { elementwise } from "../../backends/native/NativeBody.ts"
import type { ScaleAttributes } from "./geometry.ts"

export const native = elementwise<ScaleAttributes>("scale", { reads: ["x"], writes: ["y"] }, ({ factor }) => [factor])
