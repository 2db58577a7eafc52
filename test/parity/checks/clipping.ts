/** The asymmetric clipping search (fixtures/quantizers/autoclip-*). */
import { clampGroups, clipSearch, gatherRows, gram, tensor } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { type Comparison, compare } from "../compare.ts"

/** The reference takes every floor(N / samples)-th token. */
const sampledRows = (tokens: number, samples: number): Int32Array => {
  const stride = Math.floor(tokens / samples)
  return Int32Array.from({ length: Math.ceil(tokens / stride) }, (_, i) => i * stride)
}

export const clippingCheck: Check = {
  matches: /quantizers\/autoclip-/,
  run: async (fixture, backend) => {
    const { bits, group, grid, max_shrink, sample_tokens } = fixture.meta
    const weight = fixture.load(backend, "weight")
    const rows = sampledRows(fixture.shape("inputs")[0]!, Number(sample_tokens))
    const inputs = gatherRows(fixture.load(backend, "inputs"), tensor(backend, rows, [rows.length], "i32"))
    const found = clipSearch(weight, gram(inputs, Number(group)), {
      bits: Number(bits),
      group: Number(group),
      gridSize: Number(grid),
      maxShrink: Number(max_shrink)
    })
    const max = await found.max.read()
    const min = await found.min.read()
    const expected = { max: fixture.numbers("max"), min: fixture.numbers("min") }
    let same = 0
    for (let i = 0; i < max.length; i++) {
      const near = (a: number, b: number) => Math.abs(a - b) <= 1e-6 + 1e-5 * Math.abs(b)
      if (near(max[i]!, expected.max[i]!) && near(min[i]!, expected.min[i]!)) same++
    }
    const missed = 1 - same / max.length
    const pairs: Comparison = {
      what: `same range in ${(100 * (1 - missed)).toFixed(2)} % of the groups`,
      error: missed / 0.005,
      difference: missed,
      ok: missed <= 0.005
    }
    const clipped = await clampGroups(weight, found.min, found.max).read()
    return missed === 0
      ? [pairs, compare("clipped", clipped, fixture.numbers("clipped"), { relative: 1e-5, absolute: 1e-6 })]
      : [pairs]
  }
}
