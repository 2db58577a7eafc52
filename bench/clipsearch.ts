/** The clipping search of one down projection of InternVL3-1B: 4864 inputs, 896 outputs, 512 tokens, 10 x 10 ranges a group. */
import { type ClippingOptions, clippingDefaults, inputMoments, searchClipping } from "@speedq/quantizers"
import { openBackend, scope } from "@speedq/tensors"
import { type Flags, machine, median, normal } from "./measure.ts"
import { peakGib } from "./realModel.ts"

const [outputs, inputs] = [896, 4864] as const

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((sum, value) => sum + value, 0)

export const clipsearch = async (flags: Flags) => {
  const backend = await openBackend("native")
  const [bits, tokens, rounds] = [flags.number("bits", 2), flags.number("tokens", 512), flags.number("rounds", 3)]
  const group = flags.number("group", bits === 2 ? 16 : 32)
  const options: ClippingOptions = { ...clippingDefaults, bits, group, sampleTokens: 512 }
  const weight = normal(backend, [outputs, inputs], 0.02)
  const x = normal(backend, [tokens, inputs])
  const moments_s: number[] = []
  const search_s: number[] = []
  let gain = 0
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    const moments = scope(() => inputMoments("down_proj", x, options))
    await moments.read()
    const between = performance.now()
    const ranges = scope(() => searchClipping(weight, moments, options))
    const [error, unclipped] = [await ranges.error.read(), await ranges.errorUnclipped.read()]
    moments_s.push((between - start) / 1000)
    search_s.push((performance.now() - between) / 1000)
    gain = 1 - total(error) / total(unclipped)
    for (const made of [moments, ...Object.values(ranges)]) made.release()
  }
  const report = {
    case: "clipsearch",
    ...machine(),
    backend: backend.name,
    shape: [outputs, inputs],
    tokens,
    bits,
    group,
    candidates: 100,
    moments_s: median(moments_s),
    search_s: median(search_s),
    layer_s: median(moments_s) + median(search_s),
    errorReduction: gain,
    peak_gib: peakGib()
  }
  await backend.close()
  return report
}
