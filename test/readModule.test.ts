/** What scripts/checkUnused.ts reads out of a module's text: exports, what is passed on, imports, and uses of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { membersOf, readModule, usesItself } from "../scripts/modules/readModule.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-modules-"))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
const read = (text: string) => {
  const path = join(directory, `${count++}.ts`)
  writeFileSync(path, text)
  return readModule(path)
}

describe("readModule", () => {
  it("finds every way to export a name", () => {
    const { own, passedOn } = read(`
export const a = 1, other = 2
export async function b() {}
export function* c() {}
export abstract class D {}
export interface E {}
export type F = E
export const { g, h: i } = something
const j = 1
export { j as k, type L }
export default a
export { m, type N as O } from "./x.ts"
export type { P } from "./x.ts"
export * as Q from "./q.ts"
export * from "./all.ts"
// export const commented = 1
/* export const commented = 2 */
  export const indented = 3
`)
    assert.sameMembers([...own], ["a", "b", "c", "D", "E", "F", "g", "i", "k", "L", "default"])
    assert.deepStrictEqual(
      passedOn.map(({ from, name, as }) => `${from} ${name} ${as}`),
      ["./x.ts m m", "./x.ts N O", "./x.ts P P", "./q.ts * Q", "./all.ts * *"]
    )
  })

  it("finds every way to import one, and passes on what was imported first", () => {
    const module = read(`
import whole, { a, type B, c as d } from "./x.ts"
import type { E } from "./x.ts"
import * as F from "./f.ts"
import {
  long,
  names
} from "./y.ts"
export { a as first, F }
const g: import("./g.ts").G = (await import("./h.ts")).default
`)
    const shown = module.imported.map(({ from, name, as }) => `${from} ${name} ${as}`)
    assert.includeMembers(shown, [
      ...["./x.ts default whole", "./x.ts a a", "./x.ts B B", "./x.ts c d", "./x.ts E E", "./f.ts * F"],
      ...["./y.ts long long", "./y.ts names names", "./g.ts G ", "./h.ts * "]
    ])
    assert.deepStrictEqual(
      module.passedOn.map(({ from, name, as }) => `${from} ${name} ${as}`),
      ["./x.ts a first", "./f.ts * F"]
    )
    assert.deepStrictEqual(membersOf({ text: "F.one(F.two.three) + OF.four" }, "F"), ["one", "two"])
  })
})

describe("usesItself", () => {
  it.each([
    { text: "export const a = 1", used: false },
    { text: "export const a = 1 // of a", used: false },
    { text: 'export const a = 1\nconst b = "a"', used: false },
    { text: "export const a = 1\nconst b = a", used: true },
    { text: "export const a = S.Struct({})\nexport type a = typeof a.Type", used: false },
    { text: 'export class a extends Schema.TaggedError<a>()("a", {}) {}', used: false },
    { text: "export interface a {}\nexport const b = (x: a) => x", used: true }
  ])("$text: $used", ({ text, used }) => {
    assert.strictEqual(usesItself(read(text), "a"), used)
  })
})
