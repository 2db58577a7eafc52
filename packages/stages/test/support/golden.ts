/**
 * Golden digests: what was computed, from what, by which versions. Where input and versions are the same as in the file, the digest
 * must be, too: a run would reuse that result.
 */
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Golden {
  readonly versions: { readonly [name: string]: number | string }
  /** Digest of configuration, seed and data. */
  readonly input: string
  /** Digest of the numbers. */
  readonly digest: string
}
export interface Goldens {
  readonly [name: string]: Golden
}

export const digestOf = (...parts: ReadonlyArray<string | Uint8Array>): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${part.length}\n`).update(part)
  return hash.digest("hex")
}

const file = fileURLToPath(new URL("../golden.json", import.meta.url))
export const readGoldens = (): Goldens => JSON.parse(readFileSync(file, "utf8"))
export const writeGoldens = (goldens: Goldens): void => writeFileSync(file, `${JSON.stringify(goldens, null, 2)}\n`)

const update = "run UPDATE_GOLDEN=1 npx vitest run --project @speedq/stages packages/stages/test/golden.test.ts"

/** Where the versions of what computes are: `the kernels (kernelSetVersion in ...), a quantizer (version of bilevel)`. */
const placesOf = (versions: Golden["versions"]): string => {
  const named = Object.keys(versions).map((name) => name.split(" "))
  const kinds = [...new Set(named.map(([kind]) => kind))]
  return kinds
    .map((kind) => {
      if (kind === "kernels") return "the kernels (kernelSetVersion in packages/tensors/src/kernels/version.ts)"
      const names = named.filter(([each]) => each === kind).map(([, name]) => name)
      return `a ${kind} (version of ${names.join(" or ")})`
    })
    .join(", ")
}

const text = (versions: Golden["versions"]) =>
  Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")

const sameVersions = (a: Golden["versions"], b: Golden["versions"]) =>
  JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())

const isLowered = (before: Golden["versions"], after: Golden["versions"]) =>
  Object.entries(after).some(([name, version]) => {
    const old = before[name]
    return typeof old === "number" && typeof version === "number" && version < old
  })

/** Why what was found may not stand for what the file holds; undefined where it is the same. `forbidden` is not to be written. */
const problemOf = (name: string, before: Golden | undefined, after: Golden | undefined) => {
  if (before === undefined) return { issue: `${name} is new: ${update}`, forbidden: false }
  if (after === undefined) return { issue: `${name} is made no more: ${update}`, forbidden: false }
  if (isLowered(before.versions, after.versions)) {
    const issue = `${name}: a version was lowered (${text(before.versions)} -> ${text(after.versions)}), so that old results would be taken for new ones`
    return { issue, forbidden: true }
  }
  if (!sameVersions(before.versions, after.versions)) {
    const issue = `${name}: versions were raised (${text(before.versions)} -> ${text(after.versions)}); ${update}`
    return { issue, forbidden: false }
  }
  if (before.digest === after.digest) return undefined
  if (before.input !== after.input) {
    return { issue: `${name}: its options or its data changed, and its numbers with them; ${update}`, forbidden: false }
  }
  const issue = `${name} gives other numbers than before, by the same versions, so that runs would reuse old results. If this is meant, raise the version of what changed: ${placesOf(after.versions)}; and ${update}. If it is not, it is a bug.`
  return { issue, forbidden: true }
}

/** Everything that differs, in words, and the file's content with what may be changed. */
export const compareGoldens = (before: Goldens, after: Goldens) => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const problems = names.flatMap((name) => {
    const problem = problemOf(name, before[name], after[name])
    return problem === undefined ? [] : [{ name, ...problem }]
  })
  const forbidden = new Set(problems.filter((problem) => problem.forbidden).map(({ name }) => name))
  const updated = Object.fromEntries([
    ...Object.entries(after).filter(([name]) => !forbidden.has(name)),
    ...Object.entries(before).filter(([name]) => forbidden.has(name))
  ])
  return { problems, updated: Object.fromEntries(Object.entries(updated).sort(([a], [b]) => (a < b ? -1 : 1))) }
}
