/** Cuts the weights of a web folder into parts, as the exporter does with large ones. */
import { createHash } from "node:crypto"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ModelIndex } from "../../src/index.ts"

export const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** Ends of the parts are given but for the last. */
export const cutWeights = (web: string, ends: readonly number[]): void => {
  const [folder, name] = [join(web, "model"), "model.safetensors"]
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as ModelIndex
  const whole = readFileSync(join(folder, name))
  const parts = [...ends, whole.length].map((end, at) => {
    const [file, bytes] = [`${name}.00${at}`, whole.subarray(ends[at - 1] ?? 0, end)]
    writeFileSync(join(folder, file), bytes)
    return { file, bytes: bytes.length, sha256: digest(bytes) }
  })
  rmSync(join(folder, name))
  const files = index.files.map((file) => (file.name === name ? { name, parts } : file))
  writeFileSync(join(folder, "index.json"), JSON.stringify({ ...index, files }))
}
