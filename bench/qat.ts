/** A stage-3 step at InternVL3-1B shapes: seconds by phase, speed against that of products alone, memory. PyTorch's case `qat`. */
import { type Backend, linear, type MomentFormat, momentFormats, noGrad, openBackend } from "@speedq/tensors"
import { type Flags, machine, median, normal, timed } from "./measure.ts"
import { arithmeticOf, productPeaks } from "./productPeaks.ts"
import { byKernel, flopsOf, isProduct, profiled, type Spent, secondsOf, sumBy } from "./profiledBackend.ts"
import { qatStep } from "./qatStep.ts"
import { peakGib } from "./realModel.ts"

/** Products of the step's most frequent shape, one after the other: GFLOP/s of the best of some. */
const productSpeed = (backend: Backend, tokens: number): number => {
  const [inputs, outputs] = [896, 4864]
  const [x, weight] = [normal(backend, [tokens, inputs]), normal(backend, [outputs, inputs])]
  const ms = Array.from({ length: 12 }, () => timed(() => noGrad(() => linear(x, weight)).release()))
  for (const each of [x, weight]) each.release()
  return (2 * tokens * inputs * outputs) / Math.min(...ms) / 1e6
}

const statesOf = (flags: Flags): MomentFormat => {
  const wanted = flags.text("states") ?? "f32"
  const states = momentFormats.find((format) => format === wanted)
  if (states === undefined) throw new Error(`--states ${wanted}: known are ${momentFormats.join(", ")}`)
  return states
}

const inGib = (bytes: { readonly [kind: string]: number }): { readonly [kind: string]: number } =>
  Object.fromEntries(Object.entries(bytes).map(([kind, each]) => [kind, Math.round((1000 * each) / 2 ** 30) / 1000]))

const isFakeQuantization = ({ kernel }: Spent): boolean => kernel.startsWith("fakeQuant")

export const qat = async (flags: Flags) => {
  const options = {
    layers: flags.number("layers", 24),
    tokens: flags.number("tokens", 512),
    answer: flags.number("answer", 64),
    tiles: flags.number("tiles", 1),
    bits: flags.number("bits", 2) as 2 | 4,
    group: flags.number("group", 16),
    scaleGroup: flags.number("scale-group", 16),
    rematerialize: flags.has("checkpoint"),
    states: statesOf(flags)
  }
  const steps = flags.number("steps", 2)
  const arithmetic = arithmeticOf(flags)
  const inner = await openBackend("native", { arithmetic })
  const peaks = productPeaks(inner)
  const profile = profiled(inner)
  const { backend, reset, spent } = profile
  const machineGflops = productSpeed(backend, options.tokens)
  /** Bytes of tensors as a phase begins; the next one's are what it leaves. */
  const bytesAt: { [phase: string]: number } = {}
  const enter = (phase: string | undefined) => {
    if (phase !== undefined) bytesAt[phase] = backend.usage().bytes
    profile.enter(phase)
  }
  const { seeTiles, step, staying } = qatStep({ ...profile, enter }, options)

  reset()
  seeTiles()
  const tower = spent()
  // What filling the weights took beside them is not the step's.
  backend.trim()
  const steps_s: number[] = []
  let loss = Number.NaN
  for (let i = 0; i < steps; i++) {
    reset()
    const start = performance.now()
    const value = step()
    loss = await value.item()
    steps_s.push((performance.now() - start) / 1000)
    value.release()
  }
  const last = steps_s.at(-1)!
  const kernels = spent()
  const products = kernels.filter(isProduct)
  const report = {
    case: "qat",
    ...machine(),
    backend: backend.name,
    ...options,
    step_s: median(steps_s),
    steps_s,
    peak_gib: peakGib(),
    /** What stays, by kind; all tensors as each phase begins, and at most; the JavaScript heap. */
    memory_gib: inGib({
      ...staying(),
      ...Object.fromEntries(Object.entries(bytesAt).map(([phase, bytes]) => [`at ${phase}`, bytes])),
      "tensors at most": backend.usage().peakBytes,
      heap: process.memoryUsage().heapUsed,
      "other buffers": process.memoryUsage().arrayBuffers
    }),
    loss,
    /** Of the last step, but the tower's, which is seen once before all steps. */
    phases_s: {
      vit: secondsOf(tower),
      ...sumBy(kernels, (entry) => (isFakeQuantization(entry) ? "fakeQuantization" : entry.phase), secondsOf),
      outsideKernels: last - secondsOf(kernels)
    },
    productShare: secondsOf(products) / last,
    stepGflops: flopsOf(kernels) / last / 1e9,
    productGflops: flopsOf(products) / secondsOf(products) / 1e9,
    vitGflops: flopsOf(tower) / secondsOf(tower) / 1e9,
    arithmetic,
    /** What products reach at best in each arithmetic, and how much of that the step's own and the whole step do. */
    peakGflops: peaks,
    productsOfPeak: flopsOf(products) / secondsOf(products) / 1e9 / peaks[arithmetic]!,
    stepOfPeak: flopsOf(kernels) / last / 1e9 / peaks[arithmetic]!,
    machineGflops,
    stepOfMachine: flopsOf(kernels) / last / 1e9 / machineGflops,
    kernels: byKernel(kernels)
  }
  await backend.close()
  return report
}
