/** Files computed elsewhere; fixtures/README.md says how. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"

export const fixturePath = (name: string): string => new URL(`fixtures/${name}`, import.meta.url).pathname
/** A fixture of the whole repository. */
export const sharedFixturePath = (name: string): string =>
  new URL(`../../../test/fixtures/${name}`, import.meta.url).pathname

export const fixtureJson = <A>(name: string): A => JSON.parse(readFileSync(fixturePath(name), "utf8"))
export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex")
export const sha256OfNumbers = (numbers: ArrayLike<number>): string => sha256(Array.from(numbers).join(","))
