/** Samples with NaN and infinities planted in them: for every kernel but those named here, whose reason is given. */
import type { AnyKernel } from "../../src/index.ts"
import type { AnySample } from "./runSample.ts"

/** Formulas with several ways to write them, which differ at infinity (infinity times zero): NaN only. */
const nanOnly = [
  "adamStep",
  "clipFactor",
  "confidenceRows",
  "crossEntropyRows",
  "gelu",
  "geluGradient",
  "klRows",
  "layerNorm",
  "layerNormGradient",
  "layerScaleAddGradient",
  "rmsNorm",
  "rmsNormGradient",
  "rotary",
  "scatterAddRows",
  "siluTimes",
  "siluTimesGradient",
  "softmaxGradient",
  "squaredError",
  "squaredErrorGradient"
]

/**
 * No meaning: quantizers need finite weights, which their callers check; attention may multiply a key that is not seen by 0,
 * and 0 times NaN is NaN.
 */
const withoutMeaning = [
  "attention",
  "attentionGradient",
  "adaroundInitial",
  "adaroundPenalty",
  "adaroundPenaltyGradient",
  "adaroundScales",
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

/** Two samples of several elements, with one special number planted in each f32 operand in turn. */
export const specialSamples = (kernel: AnyKernel, samples: readonly AnySample[]): readonly AnySample[] => {
  if (withoutMeaning.includes(kernel.name)) return []
  const specials = nanOnly.includes(kernel.name)
    ? [Number.NaN]
    : [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const small = samples.filter(({ inputs }) => {
    const sizes = Object.values(inputs).map(({ values }) => values.length)
    return Math.min(...sizes) > 0 && Math.max(...sizes) < 1000
  })
  return small.slice(-2).flatMap((sample) =>
    Object.entries(sample.inputs).flatMap(([name, operand]) => {
      if ((operand.dtype ?? "f32") !== "f32") return []
      return specials.map((special) => {
        const values = Float32Array.from(operand.values)
        values[Math.floor(values.length / 2)] = special
        return {
          ...sample,
          name: `${sample.name}, ${special} in ${name}`,
          inputs: { ...sample.inputs, [name]: { ...operand, values } }
        }
      })
    })
  )
}
