/**
 * `chat` and `evaluate` on a GPU give the answers of the processor, whatever form the weights are in. On an adapter that computes:
 * skipped where there is none (docs/webgpu.md names a driver).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BackendUnavailable, makeGpujsBackend } from "@speedq/tensors"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Answered } from "../src/models/ask.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { json, works } from "./support/inProcess.ts"

const reason = await makeGpujsBackend({ mode: "webgpu" }).then(
  (backend) => backend.close().then(() => undefined),
  (error: unknown) => {
    if (error instanceof BackendUnavailable) return error.message
    throw error
  }
)
const skipped = reason === undefined ? "" : `: skipped, ${reason}`

const quantizers = [{ match: "**", use: "bilevel", with: { bits: 4, group: 16, scaleGroup: 16 } }]

describe.skipIf(reason !== undefined)(`models on gpujs:webgpu${skipped}`, { timeout: 600_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-webgpu-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const run = join(directory, "run")
  beforeAll(async () => {
    const recipe = join(directory, "recipe.json")
    const stages = [
      { use: "round-language", quantizers },
      { use: "export", format: "packed" },
      { use: "export", format: "fake-quant", with: { dtype: "bf16" } }
    ]
    writeFileSync(recipe, JSON.stringify({ version: 1, name: "nano", model: join(shippedNano, "model"), stages }))
    await works(["run", recipe, "--out", run, "--backend", "native"])
  })

  const images = ["--image", join(shippedNano, "images", "0003.png")]
  const ask = async (model: string, backend: string) =>
    (await json([
      ...["chat", model, "What is shown?", ...images],
      ...["--max-new-tokens", "6", "--backend", backend]
    ])) as Answered

  it.each(["packed", "fake-quant"])("answer as the processor does: %s", async (format) => {
    const model = join(run, "model", format)
    const [there, here] = [await ask(model, "gpujs:webgpu"), await ask(model, "native")]
    assert.match(there.backend, /^gpujs:webgpu \(./)
    assert.isNotEmpty(here.answer)
    assert.strictEqual(there.answer, here.answer)
  })

  it("have the score that they have there", async () => {
    const scoreOn = async (backend: string) => {
      const out = join(directory, backend.replace(":", "-"))
      const data = join(shippedNano, "evaluation", "short.tsv")
      const args = ["--data", data, "--benchmark", "nano", "--limit", "3", "--out", out, "--backend", backend]
      const { overall } = (await json(["evaluate", join(run, "model", "packed"), ...args])) as {
        readonly overall: number
      }
      return overall
    }
    assert.strictEqual(await scoreOn("gpujs:webgpu"), await scoreOn("native"))
  })
})
