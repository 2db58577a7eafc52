/** Every file of examples/ runs, on a nano model with random weights, and says what it promises to say. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Events } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { writeRandomModel } from "speedq"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = mkdtempSync(join(tmpdir(), "speedq-examples-"))
const model = join(root, "model")

beforeAll(() =>
  Effect.runPromise(Effect.provide(writeRandomModel("nano", { seed: 3, directory: model }), Events.layer))
)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const run = (name: string) => {
  const directory = join(root, name)
  const args = ["--import", "tsx", "-C", "@speedq/source", `examples/${name}.ts`, model, directory]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  assert.strictEqual(status, 0, stderr)
  return { directory, stdout, stderr }
}

describe("examples", () => {
  it("are these, each with a line in their README", () => {
    const files = readdirSync("examples").filter((name) => name.endsWith(".ts"))
    assert.deepStrictEqual(files.sort(), ["customStage.ts", "interruptAndContinue.ts", "swapQuantizers.ts"])
    const readme = readFileSync("examples/README.md", "utf8")
    for (const file of files) assert.include(readme, `[\`${file}\`](${file})`)
  })

  it("customStage: a stage of one's own changes the projector that is exported, and tells it in the report", () => {
    const { directory, stdout, stderr } = run("customStage")
    assert.match(stderr, /03-round-projector: step 6\/6 {2}change [\d.e-]+/)
    assert.match(stdout, /^model\/fake-quant: \d+ bytes$/m)
    assert.isTrue(existsSync(join(directory, "model/fake-quant/model.safetensors")))
    assert.include(readFileSync(join(directory, "report.html"), "utf8"), "6 tensors were rounded to bf16.")
  }, 120_000)

  it("swapQuantizers: rules decide layer by layer, and the size follows", () => {
    const { stdout } = run("swapQuantizers")
    const [twoBits = 0, mixed = 0] = [...stdout.matchAll(/: (\d+) bytes/g)].map(([, bytes]) => Number(bytes))
    assert.isAbove(mixed, twoBits)
    const [, second = ""] = stdout.split(/^mixed: /m)
    assert.match(second, /layers\.0\.self_attn\.q_proj\.weight: n2f3, 4 bits/)
    assert.match(second, /layers\.1\.self_attn\.q_proj\.weight: bilevel, 2\.5 bits/)
    assert.match(second, /layers\.1\.mlp\.down_proj\.weight: bilevel, 4\.2578125 bits/)
  }, 120_000)

  it("interruptAndContinue: goes on after the saved step, to the same bytes", () => {
    const { stdout, stderr } = run("interruptAndContinue")
    assert.strictEqual(stdout, "interrupted after step 5 of 7\ncontinued to the same bytes\n")
    assert.include(stderr, "01-qat: continuing after step 5 of 7")
  }, 120_000)
})
