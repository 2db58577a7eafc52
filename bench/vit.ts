/** Tiles through real-size blocks of the vision transformer, in f32, --bf16 or --packed: the case `vit` of torch_reference.py. */
import { makeNativeBackend, noGrad, scope, type Tensor } from "@speedq/tensors"
import { visionBlock, visionBlockName, weightsFrom } from "@speedq/vlm-model"
import { type Flags, machine, median, normal, timed } from "./measure.ts"
import { packedMatrices } from "./packedMatrices.ts"
import { arithmeticOf, productPeaks } from "./productPeaks.ts"
import { byKernel, flopsOf, profiled } from "./profiledBackend.ts"
import { peakGib, realConfig, realWeights } from "./realModel.ts"

export const vit = async (flags: Flags) => {
  const arithmetic = arithmeticOf(flags)
  const threads = flags.has("threads") ? { threads: flags.number("threads", 1) } : {}
  const inner = await makeNativeBackend({ ...threads, arithmetic })
  const peaks = productPeaks(inner)
  const { backend, spent, reset } = profiled(inner)
  const [tiles, blocks, steps] = [flags.number("tiles", 1), flags.number("blocks", 24), flags.number("steps", 3)]
  const config = realConfig()
  const names = Array.from({ length: blocks }, (_, index) => visionBlockName(index))
  const packed = flags.has("packed")
  const stored = packed || flags.has("bf16") ? "bf16" : "f32"
  const parameters = realWeights(backend, config, stored, (name) => names.some((block) => name.startsWith(`${block}.`)))
  const weights = packed ? (await packedMatrices(parameters, "f32")).weights : weightsFrom(parameters)
  const x = normal(backend, [tiles, 1025, 1024])
  const forward = (): Tensor =>
    scope(() => {
      let hidden = x.alias()
      for (const block of names) {
        const next = visionBlock(weights, config.vision_config, block, hidden)
        hidden.release()
        hidden = next
      }
      return hidden
    })
  const steps_s = Array.from({ length: steps }, () => {
    reset()
    return timed(() => noGrad(forward).release()) / 1000
  })
  await backend.close()
  return {
    case: "vit",
    ...machine(),
    backend: backend.name,
    arithmetic,
    peakGflops: peaks,
    gflops: flopsOf(spent()) / steps_s.at(-1)! / 1e9,
    ofPeak: flopsOf(spent()) / steps_s.at(-1)! / 1e9 / peaks[arithmetic]!,
    tiles,
    blocks,
    weights: packed ? "packed" : stored,
    step_s: median(steps_s),
    steps_s,
    peak_gib: peakGib(),
    // Of the last step.
    kernels: byKernel(spent())
  }
}
