/** Data files written for the tests. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import sharp from "sharp"

/** A directory that is gone with the scope. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "speedq-evaluation-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
)

/** A TSV file as pandas writes it, every cell quoted. */
export const tsvOf = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, ...rows].map((cells) => `${cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join("\t")}\n`).join("")

/** Writes a file into a directory and gives its path. */
export const fileIn = (directory: string, name: string, content: string | Uint8Array): string => {
  const file = join(directory, name)
  writeFileSync(file, content)
  return file
}

/** A noisy picture of one seed, so that two seeds never give the same bytes. */
export const noise = (seed: number, width: number, height: number): Uint8Array => {
  let state = seed * 2654435761 + 1
  return Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** The same as base64 of a PNG file. */
export const pngBase64 = (seed: number, width = 8, height = 6): Promise<string> =>
  sharp(noise(seed, width, height), { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
    .then((bytes) => bytes.toString("base64"))
