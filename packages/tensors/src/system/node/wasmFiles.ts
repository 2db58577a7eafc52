/** The WebAssembly modules of this package, which `npm run build` makes; also where this runs from source. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { BackendUnavailable } from "../../core/Errors.ts"

/** Raises BackendUnavailable where the module is not built. */
const read = (name: string): Uint8Array => {
  const path = fileURLToPath(new URL(`../../../dist/wasm/${name}.wasm`, import.meta.url))
  if (!existsSync(path)) {
    throw new BackendUnavailable("native", `its WebAssembly is not built (${path} is missing): run npm run build`)
  }
  return readFileSync(path)
}

/** The kernels of a build. */
export const readKernels = async (build: "relaxed" | "plain"): Promise<Uint8Array> => read(build)

/** The search for the largest magnitude, which is wanted at once. */
export const readMagnitude = (): Uint8Array => read("magnitude")

/** Nothing is to be fetched before `readMagnitude`. */
export const prepareMagnitude = async (): Promise<void> => {}
