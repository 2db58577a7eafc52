/** How a kernel runs as GPU.js programs. */
import type { KernelCall } from "../../Backend.ts"

export type GpujsBody = (call: KernelCall) => void
