/** What the processor is, as far as the choice of a library and of its kernels depends on it. */
import { readProcessors } from "#system/machine"

export interface Processor {
  /** Such as "GenuineIntel"; empty where the system does not tell. */
  readonly vendor: string
  readonly features: ReadonlySet<string>
}

/** The first processor of the machine. */
export const readProcessor = (): Processor => {
  const text = readProcessors()
  const field = (name: string): string => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(text)?.[1] ?? ""
  return { vendor: field("vendor_id"), features: new Set(field("flags").split(" ")) }
}

/** Whether it multiplies bfloat16 (AMX, or AVX-512-BF16 as Zen 4 has it): twice the products a second that f32 gets, or more. */
export const multipliesBfloat16 = (processor: Processor): boolean =>
  processor.features.has("avx512_bf16") || multipliesTiles(processor)

/** Whether it multiplies tiles of bfloat16 (Intel's AMX): five times the products a second that f32 gets. */
export const multipliesTiles = ({ features }: Processor): boolean =>
  features.has("amx_bf16") && features.has("amx_tile")
