/** Backends by the names that the command line uses. */
import type { ArithmeticChoice } from "../core/Arithmetic.ts"
import type { Backend } from "../core/Backend.ts"
import { BackendUnavailable, DeviceLost } from "../core/Errors.ts"
import { chooseArithmetic } from "./chooseArithmetic.ts"
import { chooseAuto } from "./chooseAuto.ts"
import { type GpujsMode, gpujsModes } from "./gpujs/Device.ts"
import { makeGpujsBackend } from "./gpujs/GpujsBackend.ts"
import { measureProducts } from "./measureProducts.ts"
import { makeNativeBackend } from "./native/NativeBackend.ts"
import { makeReferenceBackend } from "./reference/ReferenceBackend.ts"

const isGpujsMode = (name: string): name is GpujsMode => (gpujsModes as readonly string[]).includes(name)

/**
 * "auto", "native", "native:none" (no BLAS), "native:PATH" (that BLAS), "gpujs" (webgpu), "gpujs:MODE", "reference". Modes of
 * GPU.js: "webgpu"; "webgpu+f16" and "webgpu+f16x3", which multiply by matrices of f16 and are never taken unless named;
 * "headlessgl", "webasm", "cpu".
 */
export type BackendName = "auto" | "native" | `native:${string}` | "gpujs" | `gpujs:${GpujsMode}` | "reference"

export interface OpenBackendOptions {
  /** Bytes of all tensors together; the backend's own limit when absent. */
  readonly memoryLimit?: number | undefined
  /** Bytes of a GPU's memory that tensors may take; left out, its driver is asked when that is asked for. */
  readonly deviceMemory?: number | undefined
  /** How it multiplies. Default: f32. */
  readonly arithmetic?: ArithmeticChoice | undefined
  /** On a GPU, one kernel at a time, so that an error names its kernel; slow. Default false. */
  readonly debug?: boolean | undefined
}

const openGpujs = async (
  mode: string,
  software: boolean,
  { debug = false, deviceMemory }: OpenBackendOptions
): Promise<Backend> => {
  if (!isGpujsMode(mode)) {
    throw new BackendUnavailable(`gpujs:${mode}`, `there is no such mode; known modes: ${gpujsModes.join(", ")}`)
  }
  return makeGpujsBackend({ mode, software, debug, memory: deviceMemory })
}

const openNative = async (blas: string | undefined, { memoryLimit }: OpenBackendOptions): Promise<Backend> => {
  return makeNativeBackend({ ...(blas ? { blas } : {}), ...(memoryLimit ? { memoryLimit } : {}) })
}

/** Milliseconds that each product is measured for. */
const enough = 50

/** The GPU where one answers that is clearly faster, else the processor. What was chosen is the backend's name. */
const openAuto = async (options: OpenBackendOptions): Promise<Backend> => {
  const native = await openNative(undefined, options)
  // What a GPU cannot be asked for is not measured.
  if (options.arithmetic === "bf16") return native
  let gpu: Backend | undefined
  try {
    gpu = await openGpujs("webgpu", false, options)
    const speeds = [await measureProducts(native, enough), await measureProducts(gpu, enough)] as const
    const [chosen, other] = chooseAuto(...speeds).takes === "native" ? [native, gpu] : [gpu, native]
    await other.close()
    return chosen
  } catch (error) {
    await gpu?.close()
    if (error instanceof BackendUnavailable || error instanceof DeviceLost) return native
    await native.close()
    throw error
  }
}

/** Raises BackendUnavailable; nothing else is started in place of what was asked for. */
export const openBackend = async (name: BackendName, options: OpenBackendOptions = {}): Promise<Backend> => {
  const backend = await open(name, options)
  try {
    return chooseArithmetic(backend, options.arithmetic ?? "f32")
  } catch (error) {
    await backend.close()
    throw error
  }
}

const open = async (name: BackendName, options: OpenBackendOptions): Promise<Backend> => {
  const [kind = "", ...rest] = name.split(":")
  const detail = rest.length === 0 ? undefined : rest.join(":")
  switch (kind) {
    case "auto":
      return openAuto(options)
    case "native":
      return openNative(detail, options)
    case "gpujs":
      return openGpujs(detail ?? "webgpu", true, options)
    case "reference":
      return makeReferenceBackend()
    default:
      throw new BackendUnavailable(name, "there is no such backend; known backends: auto, native, gpujs and reference")
  }
}
