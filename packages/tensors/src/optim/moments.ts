/**
 * What an optimizer's moments are kept in between steps. Every step widens those of one parameter to f32, computes, and stores them:
 * - `f32`: as they are, 4 bytes each;
 * - `bf16`: 2 bytes, rounded up or down by turns (castDithered.ts): rounded to nearest, a second moment would stand still, as it moves by
 *   a thousandth in a step and neighbours are 1/256 apart;
 * - `int8`: 1 byte and 1/64 for the scale of a block (dynamicCodes, arXiv:2110.02861).
 * The parameter is moved by the moments before they are rounded.
 */
import type { Parameters } from "../autodiff/valueAndGrad.ts"
import { type Tensor, zeros } from "../core/Tensor.ts"
import { cast } from "../kernels/cast.ts"
import { castDithered } from "../kernels/castDithered.ts"
import { dynamicCodes, dynamicValues } from "../kernels/dynamicCodes/definition.ts"
import { blocksOf, type DynamicCodesAttributes, dynamicBlock } from "../kernels/dynamicCodes/geometry.ts"
import { scope } from "../memory/scope.ts"

export const momentFormats = ["f32", "bf16", "int8"] as const
export type MomentFormat = (typeof momentFormats)[number]

/** Bytes of a moment, on average. */
export const momentBytes: { readonly [F in MomentFormat]: number } = { f32: 4, bf16: 2, int8: 1 + 4 / dynamicBlock }

interface Moment {
  /** Runs a step on the moment in f32, which it overwrites, and stores what it leaves. `step` is the number of steps before. */
  readonly update: (step: number, run: (moment: Tensor) => void) => void
}

interface StoredMoments {
  /** Moments of 0 for every parameter. */
  readonly zeros: (parameters: Parameters) => Parameters
  /** That of one parameter, out of entries by name. */
  readonly of: (entry: (name: string) => Tensor, name: string) => Moment
}

/** Name of the scales beside the codes of a parameter's moment; no parameter is named so. */
const scalesOf = (name: string): string => `${name}.blockScales`

const entries = (parameters: Parameters, make: (name: string, parameter: Tensor) => Parameters): Parameters =>
  Object.assign({}, ...Object.entries(parameters).map(([name, parameter]) => make(name, parameter)))

const single: StoredMoments = {
  zeros: (parameters) => entries(parameters, (name, { backend, shape }) => ({ [name]: zeros(backend, shape) })),
  of: (entry, name) => {
    const moment = entry(name)
    return { update: (_, run) => run(moment) }
  }
}

const half: StoredMoments = {
  zeros: (parameters) => entries(parameters, (name, { backend, shape }) => ({ [name]: zeros(backend, shape, "bf16") })),
  of: (entry, name) => {
    const stored = entry(name)
    return {
      update: (step, run) =>
        scope(() => {
          const moment = cast(stored, "f32")
          run(moment)
          castDithered(moment, stored, step)
        })
    }
  }
}

const coded = (attributes: DynamicCodesAttributes): StoredMoments => ({
  zeros: (parameters) =>
    entries(parameters, (name, { backend, shape }) => ({
      [name]: zeros(backend, shape, "u8"),
      [scalesOf(name)]: zeros(backend, [blocksOf(shape)])
    })),
  of: (entry, name) => {
    const [codes, scales] = [entry(name), entry(scalesOf(name))]
    return {
      update: (_, run) =>
        scope(() => {
          const x = dynamicValues(codes, scales, attributes)
          run(x)
          dynamicCodes({ x, codes, scales }, attributes)
        })
    }
  }
})

/** How moments are kept; `signed` where they have both signs. */
export const storedMoments = (format: MomentFormat, attributes: DynamicCodesAttributes): StoredMoments =>
  format === "f32" ? single : format === "bf16" ? half : coded(attributes)
