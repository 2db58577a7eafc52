/** What is known of an adapter: its class, on which the same work gives the same bits, and how it is named. */
import { platform as ownPlatform } from "#system/machine"

export interface AdapterFacts {
  /** As WebGPU says them; empty where it does not. */
  readonly vendor: string
  readonly architecture: string
  /** For example "nvidia-h200". */
  readonly device: string
  /** The driver, with its version, on most systems. */
  readonly description: string
  /** What WebGPU runs over; undefined where the runtime chose it, which WebGPU does not tell. */
  readonly api: "Vulkan" | "Metal" | "D3D12" | undefined
  /** Whether it is a program on the processor, as SwiftShader is. */
  readonly software: boolean
}

/** What Dawn takes on each system unless it is told otherwise. */
const apiOf: { readonly [platform: string]: AdapterFacts["api"] } = { linux: "Vulkan", darwin: "Metal", win32: "D3D12" }

type Info = Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description" | "isFallbackAdapter">

/** `byDawn`: whether it comes from the Dawn that this package starts. */
export const adapterFacts = (
  { vendor, architecture, device, description, isFallbackAdapter }: Info,
  { byDawn, platform = ownPlatform }: { readonly byDawn: boolean; readonly platform?: string }
): AdapterFacts => ({
  vendor,
  architecture,
  device,
  description,
  api: byDawn ? apiOf[platform] : undefined,
  software: isFallbackAdapter
})

/** Its class in words, the driver last: "nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54". */
export const adapterName = ({ vendor, architecture, device, api, description }: AdapterFacts): string =>
  [vendor, architecture, device, api, description].filter(Boolean).join(", ")
