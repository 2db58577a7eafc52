/** Loads the WebAssembly kernels in the best build that this engine takes. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { BackendUnavailable } from "../../core/Errors.ts"
import { compile, validate, type WasmModule } from "./thread/wasm.ts"

export type SimdBuild = "relaxed" | "plain"

interface Kernels {
  readonly module: WasmModule
  readonly build: SimdBuild
  /** Flag of V8 that threads need before they see the module. */
  readonly flags: string | undefined
}

/** V8 before 11.4 (Node 20) has relaxed SIMD behind this flag. */
const relaxedFlag = "--experimental-wasm-relaxed-simd"

const read = (build: SimdBuild): Uint8Array => {
  const path = fileURLToPath(new URL(`../../../dist/wasm/${build}.wasm`, import.meta.url))
  if (!existsSync(path)) {
    throw new BackendUnavailable(
      "native",
      `its WebAssembly kernels are not built (${path} is missing): run npm run build`
    )
  }
  return readFileSync(path)
}

/** Relaxed SIMD (fused multiply-add) where it validates, plain SIMD otherwise or when asked for. Raises BackendUnavailable. */
export const loadKernels = async (wanted: SimdBuild | "auto"): Promise<Kernels> => {
  if (wanted !== "plain") {
    const bytes = read("relaxed")
    const known = validate(bytes)
    if (!known) setFlagsFromString(relaxedFlag)
    if (known || validate(bytes)) {
      return { module: await compile(bytes), build: "relaxed", flags: known ? undefined : relaxedFlag }
    }
    if (wanted === "relaxed") throw new BackendUnavailable("native", "this engine has no relaxed SIMD; use simd: plain")
  }
  const bytes = read("plain")
  if (!validate(bytes)) throw new BackendUnavailable("native", "this engine has no WebAssembly SIMD with shared memory")
  return { module: await compile(bytes), build: "plain", flags: undefined }
}
