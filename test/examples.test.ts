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
    assert.deepStrictEqual(files.sort(), [
      "customBenchmark.ts",
      "customExporter.ts",
      "customLoss.ts",
      "customQuantizer.ts",
      "customStage.ts",
      "interruptAndContinue.ts",
      "swapQuantizers.ts"
    ])
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

  it("customQuantizer: a ternary quantizer trains and packs, and the model says which plugin reads it", () => {
    const { directory, stdout } = run("customQuantizer")
    assert.match(stdout, /^model\/packed: [\d.]+ bits per parameter$/m)
    const description = JSON.parse(readFileSync(join(directory, "model/packed/quantization.json"), "utf8"))
    assert.include(description.layers["language_model.model.layers.0.mlp.up_proj.weight"], {
      use: "ternary",
      version: 1,
      plugin: "customQuantizer.ts",
      bits: 6
    })
    assert.strictEqual(description.layers["language_model.model.layers.0.self_attn.q_proj.weight"].use, "bilevel")
  }, 120_000)

  it("customExporter: writes files of NumPy with the bytes of the packed form", () => {
    const { directory } = run("customExporter")
    const folder = join(directory, "model/npy")
    const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"))
    const codes = manifest["language_model.model.layers.0.mlp.up_proj.weight.codes"]
    const [rows, columns] = codes.weight
    assert.deepStrictEqual(codes.shape, [(rows * columns * 2) / 8])
    const file = readFileSync(join(folder, codes.file))
    assert.strictEqual(file.subarray(0, 6).toString("latin1"), "\x93NUMPY")
    const header = file.subarray(10, 10 + file.readUInt16LE(8)).toString()
    assert.include(header, `'descr': '|u1', 'fortran_order': False, 'shape': (${codes.shape[0]},)`)
    assert.strictEqual((10 + header.length) % 64, 0)
    assert.strictEqual(file.length, 10 + header.length + codes.shape[0])
  }, 120_000)

  it("customLoss: trains with it beside ours, and each step tells its part", () => {
    const { directory, stdout } = run("customLoss")
    const steps = [...stdout.matchAll(/^step \d+: ce ([\d.]+), kd ([\d.]+), opening ([\d.]+)$/gm)]
    assert.lengthOf(steps, 3)
    for (const [, ce, , opening] of steps) assert.notStrictEqual(Number(opening), Number(ce))
    assert.include(
      readFileSync(join(directory, "report.html"), "utf8"),
      "cross entropy of the first tokens of an answer"
    )
  }, 120_000)

  it("customBenchmark: asks, and marks a number by how far off it is", () => {
    const { directory, stdout } = run("customBenchmark")
    const [, score] = /^counting: ([\d.]+) %$/m.exec(stdout) ?? []
    assert.isAtMost(Number(score), 100)
    const result = join(directory, "stages/01-evaluate/counting_counting_result.json")
    assert.deepInclude(JSON.parse(readFileSync(result, "utf8")).counts, { rows: 3, answered: 3, missing: 0 })
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
