/** Threads of a process that uses the native backend: asleep while idle, and no more than asked for, the BLAS's included. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { assert, describe, it } from "vitest"

const built = new URL("../../dist/index.js", import.meta.url)

/** What a program prints as JSON after a product of the built package's native backend. */
const afterProduct = (options: object, print: string, environment: NodeJS.ProcessEnv = {}): unknown => {
  const program = `
    import { readdirSync, readFileSync } from "node:fs"
    import * as t from "${built.href}"
    const backend = await t.makeNativeBackend(${JSON.stringify(options)})
    const a = t.tensor(backend, new Float32Array(512 * 512).fill(1), [512, 512])
    const y = t.matmul(a, a)
    if ((await y.read())[7] !== 512) throw new Error("a wrong product")
    console.log(JSON.stringify(${print}))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
    timeout: 60_000
  })
  assert.strictEqual(status, 0, stderr)
  return JSON.parse(stdout)
}

describe("idle workers", () => {
  it("take no processor time", () => {
    // The calling thread sleeps too. Workers that looked for tasks all the time would take half a second each.
    const print = `(() => {
      const asleep = new Int32Array(new SharedArrayBuffer(4))
      Atomics.wait(asleep, 0, 0, 50)
      const before = process.cpuUsage()
      Atomics.wait(asleep, 0, 0, 500)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000
    })()`
    const milliseconds = afterProduct({ threads: 3 }, print) as number
    assert.isBelow(milliseconds, 150)
  })
})

// Threads are counted in /proc, which Linux has.
describe.runIf(existsSync("/proc/self/task"))("threads of the process", () => {
  const count = 'readdirSync("/proc/self/task").length'

  it("are as many with a BLAS as without, whatever the environment asks the BLAS for", () => {
    const many = { OPENBLAS_NUM_THREADS: "7", OMP_NUM_THREADS: "7", MKL_NUM_THREADS: "7", BLIS_NUM_THREADS: "7" }
    const without = afterProduct({ threads: 2, blas: "none" }, count)
    assert.strictEqual(afterProduct({ threads: 2, blas: "auto" }, count, many), without)
    // The calling thread is one of those asked for.
    assert.strictEqual(afterProduct({ threads: 1, blas: "none" }, count), (without as number) - 1)
    assert.strictEqual(afterProduct({ threads: 1, blas: "auto" }, count, many), (without as number) - 1)
  })

  it("are one a core, the caller's included, unless told otherwise", () => {
    const free = { SPEEDQ_THREADS: "" }
    assert.deepStrictEqual(
      afterProduct({ blas: "none" }, "[backend.description.threads, backend.description.cores]", free),
      afterProduct({ blas: "auto" }, "[backend.description.cores, backend.description.threads]", free)
    )
  })

  it("are as many as SPEEDQ_THREADS says, where the program does not say", () => {
    const told = "backend.description.threads"
    assert.strictEqual(afterProduct({}, told, { SPEEDQ_THREADS: "3" }), 3)
    assert.strictEqual(afterProduct({ threads: 2 }, told, { SPEEDQ_THREADS: "3" }), 2)
    const refused = `await t.makeNativeBackend().catch(({ message }) => message)`
    assert.match(
      afterProduct({ threads: 1 }, refused, { SPEEDQ_THREADS: "many" }) as string,
      /SPEEDQ_THREADS is many, expected a whole number from 1 to 256/
    )
  })

  it("use the library at the path that SPEEDQ_BLAS gives", ({ skip }) => {
    // Where the loader found it, as an absolute path.
    const path = `(backend.description.blas === undefined ? null : readFileSync("/proc/self/maps", "utf8").split("\\n")
      .map((line) => line.slice(line.indexOf("/"))).find((file) => /\\/lib(openblas|mkl_rt|blis)/.test(file)))`
    const library = afterProduct({ blas: "auto", threads: 1 }, path, { SPEEDQ_BLAS: "auto" }) as string | null
    if (library === null) return skip("no BLAS is installed")
    assert.match(library, /^\//)
    const told = "[backend.description.blas?.path, backend.description.blasReason]"
    assert.deepStrictEqual(afterProduct({ threads: 2 }, told, { SPEEDQ_BLAS: library }), [library, "chosen"])
    assert.deepStrictEqual(afterProduct({ threads: 2 }, told, { SPEEDQ_BLAS: "none" }), [null, "not wanted"])
  })
})
