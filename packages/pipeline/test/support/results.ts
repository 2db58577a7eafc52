/** What a run leaves in its directory. */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

/** The SHA-256 of every file below the run's results (`stages/`, `model/`), by name; other files hold times. */
export const resultsOf = (directory: string): { readonly [file: string]: string } =>
  Object.fromEntries(
    ["stages", "model"]
      .filter((name) => existsSync(join(directory, name)))
      .flatMap((name) => readdirSync(join(directory, name), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((file) => [relative(directory, file), createHash("sha256").update(readFileSync(file)).digest("hex")])
  )

/** The newest saved step of each stage that has begun and is not finished. */
export const savedSteps = (directory: string): { readonly [place: string]: number } =>
  Object.fromEntries(
    readdirSync(join(directory, "stages")).flatMap((place) => {
      const names = readdirSync(join(directory, "stages", place))
      if (!names.includes("manifest.json")) return []
      const { manifest } = JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8"))
      return manifest.finished === null ? [[place, manifest.checkpoints[0]?.step ?? 0]] : []
    })
  )
