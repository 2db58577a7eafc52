/** What each file of examples/ says and writes, besides that it runs. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert } from "vitest"

export interface ExampleRun {
  /** What it wrote. */
  readonly directory: string
  readonly stdout: string
  readonly stderr: string
}

export interface Example {
  readonly promise: string
  readonly check: (run: ExampleRun) => void
}

export const examples: { readonly [name: string]: Example } = {
  customStage: {
    promise: "a stage of one's own changes the projector that is exported, and tells it in the report",
    check: ({ directory, stdout, stderr }) => {
      assert.match(stderr, /03-round-projector: step 6\/6 {2}change [\d.e-]+/)
      assert.match(stdout, /^model\/fake-quant: \d+ bytes$/m)
      assert.isTrue(existsSync(join(directory, "model/fake-quant/model.safetensors")))
      assert.include(readFileSync(join(directory, "report.html"), "utf8"), "6 tensors were rounded to bf16.")
    }
  },
  customQuantizer: {
    promise: "a ternary quantizer trains and packs, and the model says which plugin reads it",
    check: ({ directory, stdout }) => {
      assert.match(stdout, /^model\/packed: [\d.]+ bits per parameter$/m)
      const description = JSON.parse(readFileSync(join(directory, "model/packed/quantization.json"), "utf8"))
      assert.include(description.layers["language_model.model.layers.0.mlp.up_proj.weight"], {
        use: "ternary",
        version: 1,
        plugin: "customQuantizer.ts",
        bits: 6
      })
      assert.strictEqual(description.layers["language_model.model.layers.0.self_attn.q_proj.weight"].use, "bilevel")
    }
  },
  customExporter: {
    promise: "writes files of NumPy with the bytes of the packed form",
    check: ({ directory }) => {
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
    }
  },
  customLoss: {
    promise: "trains with it beside ours, and each step tells its part",
    check: ({ directory, stdout }) => {
      const steps = [...stdout.matchAll(/^step \d+: ce ([\d.]+), kd ([\d.]+), opening ([\d.]+)$/gm)]
      assert.lengthOf(steps, 3)
      for (const [, ce, , opening] of steps) assert.notStrictEqual(Number(opening), Number(ce))
      assert.include(
        readFileSync(join(directory, "report.html"), "utf8"),
        "cross entropy of the first tokens of an answer"
      )
    }
  },
  customBenchmark: {
    promise: "asks, and marks a number by how far off it is",
    check: ({ directory, stdout }) => {
      const [, score] = /^counting: ([\d.]+) %$/m.exec(stdout) ?? []
      assert.isAtMost(Number(score), 100)
      const result = join(directory, "stages/01-evaluate/counting_counting_result.json")
      assert.deepInclude(JSON.parse(readFileSync(result, "utf8")).counts, { rows: 3, answered: 3, missing: 0 })
    }
  },
  swapQuantizers: {
    promise: "rules decide layer by layer, and the size follows",
    check: ({ stdout }) => {
      const [twoBits = 0, mixed = 0] = [...stdout.matchAll(/: (\d+) bytes/g)].map(([, bytes]) => Number(bytes))
      assert.isAbove(mixed, twoBits)
      const [, second = ""] = stdout.split(/^mixed: /m)
      assert.match(second, /layers\.0\.self_attn\.q_proj\.weight: n2f3, 4 bits/)
      assert.match(second, /layers\.1\.self_attn\.q_proj\.weight: bilevel, 2\.5 bits/)
      assert.match(second, /layers\.1\.mlp\.down_proj\.weight: bilevel, 4\.2578125 bits/)
    }
  },
  interruptAndContinue: {
    promise: "goes on after the saved step, to the same bytes",
    check: ({ stdout, stderr }) => {
      assert.strictEqual(stdout, "interrupted after step 5 of 7\ncontinued to the same bytes\n")
      assert.include(stderr, "01-qat: continuing after step 5 of 7")
    }
  }
}
