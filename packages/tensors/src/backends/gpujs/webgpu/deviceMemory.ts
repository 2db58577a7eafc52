/** How much memory an adapter has. WebGPU does not say it, so its driver is asked, on systems where it answers; nothing is guessed. */
import { askAmdgpu, askNvidia } from "#system/graphicsMemory"
import { platform } from "#system/machine"
import type { DeviceMemory } from "../../../core/Backend.ts"
import type { AdapterFacts } from "./adapterFacts.ts"

/** Memory of one GPU as its driver tells it: all of it, and what nothing uses. */
interface Card {
  /** As the driver calls it; empty where it does not. */
  readonly name: string
  readonly totalBytes: number
  readonly freeBytes: number
}

/** What the system is asked; tests answer themselves. */
export interface MemorySources {
  readonly platform: string
  /** Lines "name, MiB in all, MiB free", a GPU each; undefined where nvidia-smi is not there or does not answer. */
  readonly nvidiaSmi: () => Promise<string | undefined>
  /** Of every card of amdgpu: bytes in all, and in use. */
  readonly amdgpu: () => readonly { readonly total: number; readonly used: number }[]
}

const systemSources: MemorySources = { platform, nvidiaSmi: askNvidia, amdgpu: askAmdgpu }

/** As WebGPU writes names: "NVIDIA H200" is "nvidia-h200". */
const written = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")

const unknown = (source: string): DeviceMemory => ({ bytes: undefined, source, shared: false })

const mebibytes = 2 ** 20

/** Of a line of nvidia-smi; none where it says that a GPU has no memory of its own ("[N/A]"). */
const nvidiaCards = (text: string): readonly Card[] =>
  text.split("\n").flatMap((line) => {
    const [free = "", total = "", ...name] = line.split(",").reverse()
    const [totalBytes, freeBytes] = [mebibytes * Number(total), mebibytes * Number(free)]
    return totalBytes > 0 && freeBytes >= 0 ? [{ name: name.reverse().join(",").trim(), totalBytes, freeBytes }] : []
  })

/** The one card that an adapter must be: that of its name, or the only one. Of several that are alike, the one with least room. */
const among = (cards: readonly Card[], { device }: AdapterFacts, source: string): DeviceMemory => {
  const named = cards.filter(({ name }) => name !== "" && written(name) === written(device))
  const possible = named.length > 0 ? named : cards
  const totals = new Set(possible.map(({ totalBytes }) => totalBytes))
  if (totals.size > 1) return unknown(`${source} tells of ${possible.length} different GPUs, and not which one this is`)
  return { bytes: Math.min(...possible.map(({ freeBytes }) => freeBytes)), source, shared: false }
}

/** VRAM below this is that of a processor's own GPU, which takes most of its memory from the host's. */
const leastOfCard = 4 * 2 ** 30

const ofAmd = (facts: AdapterFacts, { amdgpu }: MemorySources): DeviceMemory => {
  const cards = amdgpu().map(({ total, used }) => ({ name: "", totalBytes: total, freeBytes: total - used }))
  if (cards.length === 0) return unknown("amdgpu's mem_info_vram_total is not there")
  const small = cards.find(({ totalBytes }) => totalBytes < leastOfCard)
  if (small !== undefined) {
    return unknown(
      `amdgpu tells of ${Math.round(small.totalBytes / mebibytes)} MiB of VRAM, as of a processor's own GPU, which uses the host's memory too`
    )
  }
  return among(cards, facts, "amdgpu's mem_info_vram_total")
}

const ofNvidia = async (facts: AdapterFacts, { nvidiaSmi }: MemorySources): Promise<DeviceMemory> => {
  const text = await nvidiaSmi()
  if (text === undefined) return unknown("nvidia-smi is not there, or does not answer")
  const cards = nvidiaCards(text)
  return cards.length === 0 ? unknown("nvidia-smi tells no memory") : among(cards, facts, "nvidia-smi")
}

/**
 * Bytes that tensors may take on an adapter now, who says so, and whether they are the host's. `given` wins: a setting.
 *
 * @example
 * await findDeviceMemory(facts, { given: undefined }) // { bytes: 150_000_000_000, source: "nvidia-smi", shared: false }
 */
export const findDeviceMemory = async (
  facts: AdapterFacts,
  { given, sources = systemSources }: { readonly given: number | undefined; readonly sources?: MemorySources }
): Promise<DeviceMemory> => {
  const shared = facts.software || (sources.platform === "darwin" && facts.vendor === "apple")
  if (given !== undefined) return { bytes: given, source: "memory.device", shared }
  if (shared) return { bytes: undefined, source: "the host's memory", shared }
  if (facts.vendor === "nvidia") return ofNvidia(facts, sources)
  if (facts.vendor === "amd" && sources.platform === "linux") return ofAmd(facts, sources)
  return unknown(`nothing on this system tells it of ${facts.vendor || "this adapter"}`)
}
