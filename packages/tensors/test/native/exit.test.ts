/** A process that used the native backend ends by itself, closed or not, and prints nothing of its own. */
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"

const built = new URL("../../dist/index.js", import.meta.url)

const run = (program: string) =>
  spawnSync(process.execPath, ["--input-type=module", "--eval", `import * as t from "${built.href}"; ${program}`], {
    encoding: "utf8",
    timeout: 60_000
  })

const work = `
  const backend = await t.makeNativeBackend({ threads: 3 });
  const a = t.tensor(backend, new Float32Array(512 * 512).fill(1), [512, 512]);
  const y = t.matmul(a, a);
  console.log((await y.read())[7]);`

describe("the end of a process", () => {
  it("has the built package to run", () => {
    assert.isTrue(existsSync(fileURLToPath(built)), "npm run build makes it")
  })

  it.each([
    ["left open", work, 0, "512\n"],
    ["closed", `${work} await backend.close(); console.log("closed")`, 0, "512\nclosed\n"],
    [
      "after a failure",
      `${work} process.exitCode = 3; await t.makeNativeBackend({ blas: "/none" }).catch(() => {})`,
      3,
      "512\n"
    ],
    ["in the middle", `${work} process.exit(5)`, 5, "512\n"]
  ])("%s", (_, program, status, stdout) => {
    const result = run(program)
    assert.deepStrictEqual([result.status, result.signal, result.stdout, result.stderr], [status, null, stdout, ""])
  })
})
