/** WebGPU of the browser. */
import { BackendUnavailable } from "../../core/Errors.ts"

declare const navigator: { readonly gpu?: GPU }

/** No Dawn is started here. */
export const isOwnDawn = (_gpu: GPU): boolean => false

/** For the backend `name`. Raises BackendUnavailable where the browser has none. */
export const provideWebgpu = async (name: string, _withMatrices: boolean): Promise<GPU> => {
  if (navigator.gpu === undefined) throw new BackendUnavailable(name, "this browser has no WebGPU")
  return navigator.gpu
}
