/** Kernels and optimizers against what PyTorch computed (test/fixtures), on any backend. */
import { assert, describe, it } from "vitest"
import { type Backend, pixelShuffle } from "../../src/index.ts"
import { type Fixture, fixturesOf, openFixture } from "../fixture.ts"
import { assertSame } from "./compare.ts"
import { checkBilevel, checkCodebook, checkEmbedding, checkFlat, checkMinMax } from "./goldenQuantizers.ts"
import { checkAdamW, checkHardRounding, checkLosses } from "./goldenTraining.ts"
import { read } from "./readBack.ts"

type Check = (backend: Backend, fixture: Fixture) => Promise<void>

const checks: readonly {
  readonly name: string
  readonly folder: string
  readonly prefix: string
  readonly check: Check
}[] = [
  { name: "bilevel quantization", folder: "quantizers", prefix: "bilevel-", check: checkBilevel },
  { name: "flat 2-bit quantization", folder: "quantizers", prefix: "int2-asym-", check: (b, f) => checkFlat(b, f, 2) },
  { name: "flat 3-bit quantization", folder: "quantizers", prefix: "int3-asym-", check: (b, f) => checkFlat(b, f, 3) },
  { name: "normal-float quantization", folder: "quantizers", prefix: "n2f3-", check: checkCodebook },
  { name: "min-max quantization", folder: "quantizers", prefix: "uniform-asym-", check: checkMinMax },
  { name: "quantization of embeddings", folder: "quantizers", prefix: "embedding-sym4-", check: checkEmbedding },
  { name: "losses over the vocabulary", folder: "train", prefix: "losses-", check: checkLosses },
  { name: "AdaRound's hard rounding", folder: "train", prefix: "adaround-block-", check: checkHardRounding }
]

/** Registers the checks for one backend. */
export const golden = (backend: Backend): void => {
  describe("as PyTorch", () => {
    it.each(checks)("$name", async ({ folder, prefix, check }) => {
      const fixtures = fixturesOf(folder, prefix)
      assert.isAbove(fixtures.length, 0, "no fixtures")
      for (const fixture of fixtures) await check(backend, fixture)
    })

    it("pixel shuffle", async () => {
      const fixture = openFixture("internvl3", "pixel-shuffle-and-position-resize")
      const shuffled = await read(() => pixelShuffle(fixture.load(backend, "input")))
      assertSame("pixel shuffle", fixture.shape("shuffled"), shuffled, fixture.values("shuffled"))
    })

    it("AdamW with warm-up, cosine decay and clipping", () => checkAdamW(backend))
  })
}
