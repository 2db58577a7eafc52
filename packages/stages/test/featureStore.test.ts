/** Features on disk: what is found is what was kept, whatever happens to the files, and no more than the limit. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { assert, describe, it, onTestFinished } from "vitest"
import { bundleOf } from "../../pipeline/test/support/program.ts"
import { FeatureStoreRefused } from "../src/Errors.ts"
import { openFeatureStore } from "../src/features/FeatureStore.ts"
import { asKept, type FeatureKey, recordBytes } from "../src/features/featureRecord.ts"
import { count, digestOf, find, keep, keyOf, openStore, valuesOf } from "./support/someFeatures.ts"

const folder = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-features-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
const fileOf = (directory: string, { tower, tile }: FeatureKey) => join(directory, tower, `${tile}.features`)
const size = recordBytes("f32", count)
const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
const bytesIn = (directory: string) => filesIn(directory).reduce((sum, file) => sum + statSync(file).size, 0)

describe("a record", () => {
  it("is found with its bits by its tower and tile alone, by later stores too", async () => {
    const directory = folder()
    const first = await openStore(directory)
    assert.isUndefined(await find(first, keyOf(0, 0)))
    await keep(first, keyOf(0, 0))
    const [same, later] = [await find(first, keyOf(0, 0)), await find(await openStore(directory), keyOf(0, 0))]
    assert.deepStrictEqual(same, valuesOf(keyOf(0, 0)))
    assert.deepStrictEqual(later, valuesOf(keyOf(0, 0)))
    assert.isUndefined(await find(first, keyOf(1, 0)))
    assert.isUndefined(await find(first, keyOf(0, 1)))
    assert.deepStrictEqual(first.counts(), { damaged: 0, written: size })
  })

  it("in bf16 holds what rounding gives, in half the bytes", async () => {
    const directory = folder()
    const store = await openStore(directory, 2 ** 30, "bf16")
    await keep(store, keyOf(0, 0))
    assert.deepStrictEqual(await find(store, keyOf(0, 0)), asKept("bf16", valuesOf(keyOf(0, 0))))
    assert.notDeepEqual(asKept("bf16", valuesOf(keyOf(0, 0))), valuesOf(keyOf(0, 0)))
    assert.strictEqual(bytesIn(directory), size - 2 * count)
  })

  it("that is damaged, torn or of another tile is none, and is written anew", async () => {
    const directory = folder()
    const store = await openStore(directory)
    const keys = [0, 1, 2, 3].map((tile) => keyOf(0, tile))
    for (const key of keys) await keep(store, key)
    const [flipped, torn, empty, other] = keys.map((key) => fileOf(directory, key)) as [string, string, string, string]
    const good = readFileSync(flipped)
    for (let at = 0; at < size; at++) {
      const changed = Buffer.from(good)
      changed[at]! ^= 1
      writeFileSync(flipped, changed)
      assert.isUndefined(await find(store, keys[0]!), `byte ${at}`)
    }
    truncateSync(torn, size - 1)
    truncateSync(empty, 0)
    copyFileSync(fileOf(directory, keys[1]!), other)
    writeFileSync(other, good)
    for (const key of keys) assert.isUndefined(await find(store, key))
    assert.strictEqual(store.counts().damaged, size + 4)
    for (const key of keys) {
      await keep(store, key)
      assert.deepStrictEqual(await find(store, key), valuesOf(key))
    }
  })
})

describe("the limit", () => {
  it("lets those go that were used longest ago, and nothing else", async () => {
    const directory = folder()
    const store = await openStore(directory, 10 * size)
    const mine = join(directory, "mine.txt")
    writeFileSync(mine, "of somebody else")
    for (let tile = 0; tile < 10; tile++) {
      await keep(store, keyOf(tile % 2, tile))
      utimesSync(fileOf(directory, keyOf(tile % 2, tile)), 1000 + tile, 1000 + tile)
    }
    // The oldest is used again.
    assert.isDefined(await find(store, keyOf(0, 0)))
    await keep(store, keyOf(0, 10))
    const left = await Promise.all(Array.from({ length: 11 }, (_, tile) => find(store, keyOf(tile % 2, tile))))
    assert.deepStrictEqual(
      left.flatMap((found, tile) => (found === undefined ? [tile] : [])),
      [1, 2]
    )
    assert.isAtMost(bytesIn(directory) - statSync(mine).size, 9 * size)
  })

  it("holds for what is there when a store is opened, and for records larger than it", async () => {
    const directory = folder()
    const store = await openStore(directory)
    for (let tile = 0; tile < 10; tile++) await keep(store, keyOf(0, tile))
    const small = await openStore(directory, 4 * size)
    assert.isAtMost(bytesIn(directory), 4 * size)
    assert.strictEqual(small.counts().written, 0)
    const tiny = await openStore(directory, size - 1)
    await keep(tiny, keyOf(0, 0))
    assert.isEmpty(filesIn(directory))
  })
})

describe("a directory that cannot be used", () => {
  it("is refused by name", async () => {
    const file = join(folder(), "file")
    writeFileSync(file, "")
    const opening = openFeatureStore({ directory: file, limit: 1, numbers: "f32", tell: () => Effect.void })
    const error = await Effect.runPromise(Effect.flip(opening))
    assert.instanceOf(error, FeatureStoreRefused)
    assert.match(error.message, /file: .*not a directory.*features\.directory/)
  })

  it("later on is told once, and what is there is still found", async () => {
    const directory = folder()
    const told: string[] = []
    const store = await openStore(directory, 2 ** 30, "f32", told)
    await keep(store, keyOf(0, 0))
    // A file where the directory of a tower should be.
    writeFileSync(join(directory, keyOf(1, 0).tower), "")
    await keep(store, keyOf(1, 0))
    await keep(store, keyOf(1, 1))
    await keep(store, keyOf(0, 1))
    assert.strictEqual(told.length, 1)
    assert.include(told[0], directory)
    assert.deepStrictEqual(await find(store, keyOf(0, 0)), valuesOf(keyOf(0, 0)))
  })
})

const writer = fileURLToPath(new URL("support/featureWriter.ts", import.meta.url))
const start = (...args: readonly (string | number)[]) => {
  const child = spawn(process.execPath, [...bundleOf(writer), ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  return child
}

describe("several processes", () => {
  it("at once find what the others kept, and nothing else, under one limit", async () => {
    const directory = folder()
    const limit = 60 * size
    const children = [0, 20, 40].map((first) => start(directory, limit, first, 80))
    const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]))
    assert.deepStrictEqual(codes, [0, 0, 0])
    assert.isAtMost(bytesIn(directory), 1.2 * limit)
    const store = await openStore(directory)
    for (let tile = 0; tile < 120; tile++) {
      const found = await find(store, keyOf(0, tile))
      if (found !== undefined) assert.deepStrictEqual(found, valuesOf(keyOf(0, tile)))
    }
    assert.strictEqual(store.counts().damaged, 0)
  })

  it("that are killed while they write leave no wrong number, and what they left goes", async () => {
    const directory = folder()
    const child = start(directory, 2 ** 30, 0, 0)
    await once(child.stdout!, "data")
    child.kill("SIGKILL")
    await once(child, "exit")
    const { tower } = keyOf(0, 0)
    const abandoned = join(directory, tower, `.${digestOf("tile")}.1-0-0.tmp`)
    writeFileSync(abandoned, "half a record")
    utimesSync(abandoned, 1000, 1000)
    const store = await openStore(directory)
    assert.notInclude(readdirSync(join(directory, tower)), `.${digestOf("tile")}.1-0-0.tmp`)
    for (let tile = 0; tile <= 20; tile++) {
      assert.deepStrictEqual(await find(store, keyOf(0, tile)), valuesOf(keyOf(0, tile)))
    }
    assert.strictEqual(store.counts().damaged, 0)
  })
})
