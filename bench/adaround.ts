/** One AdaRound iteration of a real-size InternViT block, all four Linears: the case `adaround` of torch_reference.py. */
import {
  type Block,
  brecqDefaults,
  initialRounding,
  makeLayerGrids,
  type ReconstructionOptions,
  readLosses,
  roundingStep
} from "@speedq/adaround"
import { uniform } from "@speedq/quantizers"
import { noGrad, openBackend, type Parameters, Random, scope, type Tensor } from "@speedq/tensors"
import { visionBlock, visionBlockName, weightsFrom } from "@speedq/vlm-model"
import { type Flags, machine, median, normal } from "./measure.ts"
import { arithmeticOf, productPeaks } from "./productPeaks.ts"
import { byKernel, flopsOf, profiled, secondsOf } from "./profiledBackend.ts"
import { peakGib, realConfig, realWeights } from "./realModel.ts"

const tokens = 1025
const name = visionBlockName(0)
const linears = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].map((linear) => `${name}.${linear}.weight`)

/** Iterations past the warm-up of the regularizer, with the exponent in the middle of its way. */
const options: ReconstructionOptions = { ...brecqDefaults, iterations: 1000 }
const middle = 600

export const adaround = async (flags: Flags) => {
  const [tiles, bits, iters] = [flags.number("tiles", 1), flags.number("bits", 2) as 2 | 4, flags.number("iters", 3)]
  const arithmetic = arithmeticOf(flags)
  const inner = await openBackend("native", { arithmetic })
  const peaks = productPeaks(inner)
  const { backend, spent, reset } = profiled(inner)
  const config = realConfig()
  const vision = config.vision_config
  const parameters = realWeights(backend, config, "f32", (weight) => weight.startsWith(`${name}.`))
  const choice = uniform({ bits, group: 16, range: "zero" })
  const layers = Object.fromEntries(linears.map((linear) => [linear, { weight: parameters[linear]!, choice }]))
  const forward = (weights: Parameters, x: Tensor) => visionBlock(weightsFrom(weights, parameters), vision, name, x)
  const block: Block = { name, grids: await makeLayerGrids(name, layers), forward }
  const inputs = normal(backend, [tiles, tokens, vision.hidden_size])
  const targets = noGrad(() => forward({}, inputs))

  let state = { ...initialRounding(block.grids, Random.make(0)), iteration: middle }
  const iterations: number[] = []
  let losses = { reconstruction: Number.NaN, rounding: Number.NaN }
  for (let i = 0; i < iters; i++) {
    reset()
    const start = performance.now()
    const result = scope(() => roundingStep(block, state, { inputs, targets }, options))
    state = { ...state, iteration: result.state.iteration }
    losses = await readLosses(block, state, result.losses)
    iterations.push((performance.now() - start) / 1000)
  }
  const kernels = spent()
  const report = {
    case: "adaround",
    ...machine(),
    backend: backend.name,
    arithmetic,
    peakGflops: peaks,
    ofPeak: flopsOf(kernels) / iterations.at(-1)! / 1e9 / peaks[arithmetic]!,
    tiles,
    bits,
    iter_s: median(iterations),
    iters_s: iterations,
    peak_gib: peakGib(),
    ...losses,
    outsideKernels_s: iterations.at(-1)! - secondsOf(kernels),
    kernels: byKernel(kernels)
  }
  await backend.close()
  return report
}
