/**
 * Names that files have on disk, where other programs and older runs look for them: of every tensor with its type, shape and place,
 * and of every weight in the descriptions. Numbers are not looked at, so the digests hold on every machine.
 */
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { makeNanoRuns, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-names-"))
const directory = join(root, "run")
const runs = makeNanoRuns()
beforeAll(async () => {
  const model = await writeNanoModel(join(root, "model"))
  const { adaround, projector, autoclip, qat } = shortStages
  const stages = [
    { ...adaround, iterations: 0 },
    { ...projector, maxSteps: 1 },
    autoclip,
    { ...qat, maxSteps: 1 },
    { use: "export", format: "fake-quant" },
    { use: "export", format: "packed" }
  ]
  const { exit } = await runs.run({ version: 1, name: "names", model, seed: 3, stages }, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16)

/** Tensors and metadata of a safetensors file, as they are written. */
const headerOf = (file: string): string => {
  const bytes = readFileSync(join(directory, file))
  return bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()
}

describe("names on disk", () => {
  it.each([
    ["stages/01-adaround-vit/quantizedVision.safetensors", "6b33a1a1ba1ed30d"],
    ["stages/02-train-projector/projector.safetensors", "a3ebbcf372d1a4d0"],
    ["stages/03-autoclip/clipping.safetensors", "66b2d92fd15021da"],
    ["stages/04-qat/projector.safetensors", "a3ebbcf372d1a4d0"],
    ["stages/04-qat/quantizedLanguage.safetensors", "bcb9bf69e16dae52"],
    ["model/fake-quant/model.safetensors", "d296d46b7688a58c"],
    ["model/packed/model.safetensors", "aa7228c5dcae866f"]
  ])("of %s are what they were", (file, expected) => {
    assert.strictEqual(digest(headerOf(file)), expected)
  })

  it.each(["fake-quant", "packed"])("of the weights that %s describes are what they were", (format) => {
    const { layers } = JSON.parse(readFileSync(join(directory, "model", format, "quantization.json"), "utf8"))
    const names = Object.keys(layers)
    assert.strictEqual(digest(names.join("\n")), "16051a7dc0fd4d3c")
  })
})
