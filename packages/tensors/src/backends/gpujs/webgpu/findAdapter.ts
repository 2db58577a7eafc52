/** Looks for a GPU without taking it. What it gives is in plain words: programs without the types of WebGPU compile with it. */
import { isOwnDawn, provideWebgpu } from "#system/webgpu"
import { BackendUnavailable } from "../../../core/Errors.ts"
import { adapterFacts, adapterName } from "./adapterFacts.ts"
import { requestAdapter } from "./openDevice.ts"

/** The adapter that `gpujs:webgpu` would compute on: its class in words, and whether it is a program. Undefined where there is none. */
export const findAdapter = async (): Promise<{ readonly name: string; readonly software: boolean } | undefined> => {
  try {
    const gpu = await provideWebgpu("gpujs:webgpu", false)
    const adapter = await requestAdapter(gpu)
    if (adapter === null) return undefined
    const facts = adapterFacts(adapter.info, { byDawn: isOwnDawn(gpu) })
    return { name: adapterName(facts), software: facts.software }
  } catch (error) {
    if (error instanceof BackendUnavailable) return undefined
    throw error
  }
}
