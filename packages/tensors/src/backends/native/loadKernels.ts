/** Loads the WebAssembly kernels in the best build that this engine takes. */
import { setEngineFlag } from "#system/machine"
import { readKernels } from "#system/wasmFiles"
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

/** Relaxed SIMD (fused multiply-add) where it validates, plain SIMD otherwise or when asked for. Raises BackendUnavailable. */
export const loadKernels = async (wanted: SimdBuild | "auto"): Promise<Kernels> => {
  if (wanted !== "plain") {
    const bytes = await readKernels("relaxed")
    const known = validate(bytes)
    if (!known) setEngineFlag(relaxedFlag)
    if (known || validate(bytes)) {
      return { module: await compile(bytes), build: "relaxed", flags: known ? undefined : relaxedFlag }
    }
    if (wanted === "relaxed") throw new BackendUnavailable("native", "this engine has no relaxed SIMD; use simd: plain")
  }
  const bytes = await readKernels("plain")
  if (!validate(bytes)) throw new BackendUnavailable("native", "this engine has no WebAssembly SIMD with shared memory")
  return { module: await compile(bytes), build: "plain", flags: undefined }
}
