/** How a kernel runs on the native backend. */
import type { KernelCall } from "../../Backend.ts"

export type NativeBody = (call: KernelCall) => void
