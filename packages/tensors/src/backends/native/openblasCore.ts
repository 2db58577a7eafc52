/** OpenBLAS chooses its kernels by the processor's model; a model that is newer than the library gets those of AVX2. */
import { readFileSync } from "node:fs"

/** What the kernels that OpenBLAS calls SkylakeX need. */
const needed = ["avx512f", "avx512dq", "avx512bw", "avx512cd", "avx512vl"]

/** Vendor and features of the first processor; nothing where the system does not tell. */
const readProcessor = (): { readonly vendor: string; readonly features: ReadonlySet<string> } => {
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8")
    const field = (name: string): string => new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(text)?.[1] ?? ""
    return { vendor: field("vendor_id"), features: new Set(field("flags").split(" ")) }
  } catch {
    return { vendor: "", features: new Set() }
  }
}

/**
 * The value of OPENBLAS_CORETYPE that a processor deserves, or undefined to leave the choice to the library: AMD's Zen 4
 * and 5 have AVX-512, which OpenBLAS up to 0.3.21 does not know of them and which doubles its products.
 */
export const coreTypeFor = (vendor: string, features: ReadonlySet<string>): string | undefined =>
  vendor === "AuthenticAMD" && needed.every((feature) => features.has(feature)) ? "SkylakeX" : undefined

/** Tells OpenBLAS before it is loaded; a choice that the user made stands. */
export const chooseOpenblasCore = (): void => {
  if (process.env.OPENBLAS_CORETYPE !== undefined) return
  const { vendor, features } = readProcessor()
  const coreType = coreTypeFor(vendor, features)
  if (coreType !== undefined) process.env.OPENBLAS_CORETYPE = coreType
}
