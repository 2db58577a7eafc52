/** Samples with NaN and infinities planted in them: for every kernel but those named here, whose reason is given. */
import type { AnyKernel } from "../../src/index.ts"
import type { AnySample } from "./runSample.ts"

/** No meaning: rounding to a grid needs finite weights, which the callers of these check. */
const withoutMeaning = [
  "adaroundInitial",
  "adaroundScales",
  "adaroundStep",
  "adaroundWeight",
  "adaroundWeightGradient",
  "bilevelCodes",
  "bilevelDecode",
  "codebookCodes",
  "codebookDecode",
  "clampGroups",
  "clipSearch",
  "fakeQuantBilevel",
  "fakeQuantBilevelGradient",
  "fakeQuantCodebook",
  "fakeQuantCodebookGradient",
  "fakeQuantUniform",
  "fakeQuantUniformGradient",
  "gram",
  "gridCodes",
  "gridDecode"
]

/** Operands whose infinity says something of its own: of a query that sees no key, the sum of exponentials is 0. */
const infinityMeans: { readonly [kernel: string]: readonly string[] } = {
  attentionGradient: ["logSumExp"],
  selfAttentionGradient: ["logSumExp"]
}

/**
 * Operands that a body may multiply by 0 where the definition leaves them out: keys that a query does not see, the weight of
 * a row times a smoothing of 0. 0 times NaN or infinity is NaN, so more of them may come out.
 */
const timesZero: { readonly [kernel: string]: readonly string[] } = {
  attention: ["q", "k", "v"],
  attentionGradient: ["q", "k", "v", "y", "logSumExp", "dy"],
  crossEntropyRows: ["weights"],
  klRows: ["weights"],
  // Of a chunk with NaN or infinity there is no largest magnitude, and all of y is NaN. A scale is multiplied by sums, not by each code.
  linearCodes: ["x", "origin", "step"],
  selfAttention: ["qkv"],
  selfAttentionGradient: ["qkv", "y", "logSumExp", "dy"]
}

export interface SpecialSample {
  readonly sample: AnySample
  /** Whether NaN may also come out where the definition has none. */
  readonly mayAdd: boolean
}

/** Two samples of several elements, with NaN and both infinities planted in each f32 operand in turn. */
export const specialSamples = (kernel: AnyKernel, samples: readonly AnySample[]): readonly SpecialSample[] => {
  if (withoutMeaning.includes(kernel.name)) return []
  const small = samples.filter(({ inputs }) => {
    const sizes = Object.values(inputs).map(({ values }) => values.length)
    return Math.min(...sizes) > 0 && Math.max(...sizes) < 1000
  })
  return small.slice(-2).flatMap((sample) =>
    Object.entries(sample.inputs).flatMap(([name, operand]) => {
      if ((operand.dtype ?? "f32") !== "f32") return []
      const mayAdd = timesZero[kernel.name]?.includes(name) ?? false
      const nanOnly = infinityMeans[kernel.name]?.includes(name)
      const specials = nanOnly ? [Number.NaN] : [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
      return specials.map((special) => {
        const values = Float32Array.from(operand.values)
        values[Math.floor(values.length / 2)] = special
        const planted = {
          ...sample,
          name: `${sample.name}, ${special} in ${name}`,
          inputs: { ...sample.inputs, [name]: { ...operand, values } }
        }
        return { sample: planted, mayAdd }
      })
    })
  )
}
