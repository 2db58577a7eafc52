/** A stage's memory where it lies: its tensors on the device, if they have one, everything else with the process. */
import type { TensorMemory } from "../machine/TensorMemory.ts"
import type { Forecast } from "../stage/Forecast.ts"
import { processBytes } from "./memoryLimit.ts"

/** Of a tensor on its way from or to a device the host has two copies: its bytes, and what the driver takes or gives. */
const copiesOnTheWay = 2

/**
 * The same forecast with `memoryBytes` of the host and `deviceBytes` of the device. A stage that does not say what of its memory is
 * tensors may need all of it in both. Where both are one memory, `memoryBytes` is what they need together.
 */
export const placed = (forecast: Forecast, memory: TensorMemory | undefined): Forecast => {
  if (memory === undefined) return forecast
  const { memoryBytes, tensorBytes, largest } = forecast
  const tensors = tensorBytes ?? memoryBytes
  const rest = tensorBytes === undefined ? memoryBytes : memoryBytes - tensorBytes
  // One that nothing is known of needs nothing.
  const least = memoryBytes === 0 ? 0 : processBytes
  const host = Math.max(least, rest) + copiesOnTheWay * (largest?.bytes ?? 0)
  const deviceBytes = Math.ceil(tensors * (1 + memory.overhead))
  const together = tensorBytes === undefined ? deviceBytes : host + deviceBytes
  return { ...forecast, deviceBytes, memoryBytes: memory.shared ? together : host }
}
