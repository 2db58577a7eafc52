/** Numbers as people read them: bytes, durations, counts. */
import * as ByteSize from "effect/ByteSize"

/** `4.1 GiB`. */
export const formatBytes = (bytes: number): string =>
  ByteSize.format(ByteSize.bytes(Math.max(0, Math.round(bytes))), { precision: 1 })

/** `850 ms`, `12.3 s`, `4 min 10 s`, `2 h 05 min`, `3 d 4 h`. */
export const formatDuration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`
  const hours = Math.round(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `1 token`, `2 tokens`. */
export const formatCount = (count: number, name: string): string => `${count} ${name}${count === 1 ? "" : "s"}`

/** `2026-11-23 17:35:33`, in UTC. */
export const formatTime = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ")

/** Four significant digits; plain where that is short, with an exponent where it is not. */
export const formatNumber = (value: number): string => {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return Number(value.toPrecision(4)).toExponential()
  return String(Number(value.toPrecision(4)))
}
