/** A short campaign, and what it rests on: a disk that loses what was not flushed, changes that a seed gives again. */
import { spawn, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { mutateFile } from "./campaign/mutations/mutate.ts"
import { countBefore, numbersOf, sharesOf } from "./campaign/mutations/shares.ts"
import { Random } from "./campaign/Random.ts"
import { Disk, type Image, type Loss, losses } from "./campaign/storage/Disk.ts"

const folder = mkdtempSync(join(tmpdir(), "speedq-campaign-test-"))
afterAll(() => rmSync(folder, { recursive: true }))

const program = ["--import", "tsx", "-C", "@speedq/source", "test/campaign/main.ts", "--folder", folder, "--json"]

it("a short campaign loses nothing, and nothing hangs, ends in a stack or takes too much memory", () => {
  const counts = ["--kills", "6", "--crashes", "500", "--faults", "12", "--mutations", "500", "--cluster", "3"]
  const { stdout, stderr } = spawnSync(process.execPath, [...program, ...counts], {
    encoding: "utf8"
  })
  const clean = { lost: 0, hangs: 0, stacks: 0, overMemory: 0 }
  const expected = { kills: 6, crashes: 500, faults: 12, mutations: 500, cluster: 3, ...clean }
  assert.strictEqual(stdout, `${JSON.stringify(expected)}\n`, stderr)
})

it("a campaign that is stopped says what it did until then, what is left, and by its exit code that it is not whole", async () => {
  const counts = ["--faults", "100000", "--crashes", "0", "--mutations", "7", "--from", "3", "--seed", "2"]
  const child = spawn(process.execPath, [...program, ...counts], { stdio: ["ignore", "pipe", "pipe"] })
  const printed = { stdout: "", stderr: "" }
  let isStopped = false
  child.stdout.on("data", (data: Buffer) => (printed.stdout += data.toString()))
  child.stderr.on("data", (data: Buffer) => {
    printed.stderr += data.toString()
    // A second signal would end it at once.
    if (isStopped || !/^faults: \d+ of/m.test(printed.stderr)) return
    isStopped = true
    child.kill("SIGINT")
  })
  const code = await new Promise((resolve) => child.on("close", resolve))
  assert.strictEqual(code, 130, printed.stderr)
  const { faults, ...others } = JSON.parse(printed.stdout)
  assert.isAtLeast(faults, 1)
  const none = { kills: 0, crashes: 0, mutations: 0, cluster: 0, lost: 0, hangs: 0, stacks: 0, overMemory: 0 }
  assert.deepStrictEqual(others, none)
  const rest = `--faults ${100_000 - faults} --from ${3 + faults} --seed 2\n  npm run campaign -- --mutations 7 --from 3 --seed 2\n`
  assert.isTrue(printed.stderr.endsWith(`stopped; the rest is:\n  npm run campaign -- ${rest}`), printed.stderr)
})

it("shares of processes have every number once, about equally far at any time", () => {
  for (const [from, count, processes] of [
    [0, 1000, 1],
    [7, 5003, 3],
    [1000, 255, 2],
    [3, 40, 4]
  ] as const) {
    const shares = sharesOf(from, count, processes)
    const all = shares.flatMap((share) => [...numbersOf(share, from)])
    assert.deepStrictEqual(
      all.sort((a, b) => a - b),
      Array.from({ length: count }, (_, at) => from + at)
    )
    for (const share of shares)
      for (const next of [from, from + 1, from + (count >> 1), from + count - 1, from + count]) {
        const [whole, rest] = [[...numbersOf(share, from)], [...numbersOf(share, next)]]
        assert.deepStrictEqual(
          rest,
          whole.filter((at) => at >= next)
        )
        assert.strictEqual(countBefore(share, next), whole.length - rest.length)
      }
  }
})

const bytes = (...values: readonly number[]) => Uint8Array.of(...values)
const shown = (image: Image) => Object.fromEntries([...image].map(([path, content]) => [path, [...content]]))

/** A file of two bytes; `flushes` are what is flushed of it and its directory. */
const written = (...flushes: readonly string[]): Disk => {
  const disk = new Disk("/root")
  disk.apply({ kind: "create", path: "/root/file" })
  disk.apply({ kind: "write", path: "/root/file", at: 0, bytes: bytes(1, 2) })
  for (const path of flushes) disk.apply({ kind: "flush", path })
  return disk
}
const leftOf = (disk: Disk, loss: Loss, seed = 1) => shown(disk.after(loss, new Random(seed)))

describe("a disk that loses its power", () => {
  it("keeps what was flushed, whatever is lost of the rest", () => {
    const disk = written("/root/file", "/root")
    for (const loss of losses) assert.deepStrictEqual(leftOf(disk, loss), { file: [1, 2] }, loss)
  })

  it("may lose a name, a content, or nothing of what was not flushed", () => {
    assert.deepStrictEqual(leftOf(written(), "everything"), {})
    assert.deepStrictEqual(leftOf(written(), "nothing"), { file: [1, 2] })
    assert.deepStrictEqual(leftOf(written("/root/file"), "names"), {})
    assert.deepStrictEqual(leftOf(written("/root"), "contents"), { file: [] })
    const torn = Array.from({ length: 40 }, (_, seed) => JSON.stringify(leftOf(written("/root"), "any", seed)))
    for (const content of ["[]", "[1]", "[1,2]", "[0,0]"]) assert.include(torn, `{"file":${content}}`)
  })

  it("keeps what was flushed of a file that grows, and may have zeros or nothing behind it", () => {
    const disk = written("/root/file", "/root")
    disk.apply({ kind: "write", path: "/root/file", at: 2, bytes: bytes(3, 4) })
    const left = Array.from({ length: 40 }, (_, seed) => JSON.stringify(leftOf(disk, "any", seed)))
    const contents = ["[1,2]", "[1,2,3]", "[1,2,3,4]", "[1,2,0,0]"].map((content) => `{"file":${content}}`)
    assert.sameMembers([...new Set(left)], contents)
  })

  it("has a rename that was not flushed whole or not at all", () => {
    const disk = written("/root/file", "/root")
    disk.apply({ kind: "makeDirectory", path: "/root/below" })
    disk.apply({ kind: "flush", path: "/root" })
    disk.apply({ kind: "rename", path: "/root/file", to: "/root/below/moved" })
    const seen = new Set(Array.from({ length: 40 }, (_, seed) => JSON.stringify(leftOf(disk, "any", seed))))
    assert.sameMembers([...seen], ['{"file":[1,2]}', '{"below/moved":[1,2]}'])
  })
})

it("a seed gives the same changes again, and another one others", () => {
  const file = Buffer.from('{"a":[1,2,{"b":"c"}]}')
  const changed = (seed: number) =>
    Array.from({ length: 20 }, (_, at) => mutateFile("x.json", file, new Random(seed, at)))
  assert.deepStrictEqual(changed(1), changed(1))
  assert.notDeepEqual(changed(1), changed(2))
  assert.isAtLeast(new Set(changed(1).map((each) => each.toString())).size, 15)
})
