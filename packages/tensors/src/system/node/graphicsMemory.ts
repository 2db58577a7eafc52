/** What drivers of GPUs tell of their memory. */
import { execFile } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Milliseconds that nvidia-smi may take; a driver that is not kept loaded takes seconds. */
const patience = 10_000

/** Lines "name, MiB in all, MiB free", a GPU each; undefined where nvidia-smi is not there or does not answer. */
export const askNvidia = (): Promise<string | undefined> =>
  new Promise((resolve) => {
    const query = ["--query-gpu=name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    execFile("nvidia-smi", query, { timeout: patience }, (error, stdout) => resolve(error ? undefined : stdout))
  })

const drm = "/sys/class/drm"

/** Of every card of amdgpu: bytes in all, and in use. */
export const askAmdgpu = (): readonly { readonly total: number; readonly used: number }[] => {
  try {
    return readdirSync(drm)
      .filter((name) => /^card\d+$/.test(name))
      .flatMap((name) => {
        const number = (file: string) => Number(readFileSync(join(drm, name, "device", file), "utf8"))
        try {
          return [{ total: number("mem_info_vram_total"), used: number("mem_info_vram_used") }]
        } catch {
          return [] // a card of another driver
        }
      })
  } catch {
    return []
  }
}
