/** What PyTorch, and so a config, calls the formats of numbers. */
import type { Rest } from "../model/deployedModel.ts"

export const typeNames: { readonly [dtype in Rest]: string } = { bf16: "bfloat16", f16: "float16", f32: "float32" }
