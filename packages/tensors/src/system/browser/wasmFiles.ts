/** The WebAssembly modules of this package, fetched from where the page's bundler has put them. */
import { BackendUnavailable } from "../../core/Errors.ts"

// Bundlers look for these very expressions.
const urls = {
  relaxed: new URL("../../../dist/wasm/relaxed.wasm", import.meta.url),
  plain: new URL("../../../dist/wasm/plain.wasm", import.meta.url),
  magnitude: new URL("../../../dist/wasm/magnitude.wasm", import.meta.url)
}

/** Raises BackendUnavailable where the module does not come. */
const read = async (name: keyof typeof urls): Promise<Uint8Array> => {
  const refused = (reason: string) => new BackendUnavailable("native", `its WebAssembly did not come: ${reason}`)
  try {
    const response = await fetch(urls[name])
    if (!response.ok) throw refused(`${urls[name]} answers ${response.status}`)
    return new Uint8Array(await response.arrayBuffer())
  } catch (error) {
    if (error instanceof BackendUnavailable) throw error
    throw refused(String(error))
  }
}

let magnitude: Uint8Array | undefined

/** Fetches what is wanted at once later: every backend does so as it starts. */
export const prepareMagnitude = async (): Promise<void> => {
  magnitude ??= await read("magnitude")
}

/** The kernels of a build. */
export const readKernels = async (build: "relaxed" | "plain"): Promise<Uint8Array> => {
  await prepareMagnitude()
  return read(build)
}

/** Raises BackendUnavailable before a backend has been started: a page fetches nothing at once. */
export const readMagnitude = (): Uint8Array => {
  if (magnitude === undefined)
    throw new BackendUnavailable("native", "start a backend before tensors are read from files")
  return magnitude
}
