/**
 * A child process that tries backends, named by its arguments, one after the other, and sends what it finds.
 * In a process of its own, because a driver that crashes takes its process with it, and some print what is no result.
 */
import { type Backend, type BackendName, makeNativeBackend, measureProducts, openBackend } from "@speedq/tensors"
import type { BackendReport } from "./BackendReport.ts"

/** Milliseconds that each product is repeated for: half a second a backend. */
const enough = 150

const deviceOf = async ({ hardware }: Backend) => {
  if (hardware === undefined) return {}
  const { bytes, ...memory } = await hardware.memory()
  return { device: { memory: { bytes: bytes ?? null, ...memory }, largestBytes: hardware.largestBytes } }
}

const probe = async (name: string): Promise<BackendReport> => {
  try {
    const arithmetic = name === "native, bf16" ? "bf16" : "f32"
    const native = name.startsWith("native,") || name === "native" ? await makeNativeBackend({ arithmetic }) : undefined
    const backend = native ?? (await openBackend(name as BackendName))
    const speed = await measureProducts(backend, enough)
    const device = await deviceOf(backend)
    await backend.close()
    return {
      name,
      answers: true,
      what: backend.name,
      speed,
      ...(native ? { native: native.description } : {}),
      ...device
    }
  } catch (error) {
    return { name, answers: false, reason: error instanceof Error ? error.message : String(error) }
  }
}

for (const name of process.argv.slice(2)) {
  const report = await probe(name)
  await new Promise((sent) => process.send?.(report, sent))
}
process.disconnect()
