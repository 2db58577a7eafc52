/**
 * Whether memory, open files and threads stay flat: training steps of stage 3 and evaluations in one process, on a small model
 * (`speedq init --config nano --seed 1 --out DIR`), and whole runs one after the other, each with a backend of its own.
 *   npm run bench -- soak --model DIR [--steps 300] [--evaluations 50] [--runs 20]
 * Slopes are least squares over the samples after a warm-up; of many steps or runs a thousand are sampled.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Entry, Events, isEntryOf, Recipe, RunDirectory, RunEvents } from "@speedq/pipeline"
import { Compute, SampleWorkers, stages } from "@speedq/stages"
import type { Usage } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Flags, machine } from "./measure.ts"

const nano = new URL("../data/nano/", import.meta.url).pathname

interface Sample {
  readonly residentBytes: number
  readonly heapBytes: number
  readonly buffers: number
  readonly tensorBytes: number
  readonly descriptors: number
  readonly threads: number
}

/** How many of something this process has, as Linux tells it; 0 elsewhere. */
const countIn = (directory: string): number => {
  try {
    return readdirSync(directory).length
  } catch {
    return 0
  }
}

const collect = (globalThis as { readonly gc?: () => void }).gc

const sampleOf = ({ buffers, bytes }: Usage): Sample => {
  collect?.()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    residentBytes: rss,
    heapBytes: heapUsed,
    buffers,
    tensorBytes: bytes,
    descriptors: countIn("/proc/self/fd"),
    threads: countIn("/proc/self/task")
  }
}

/** At most so many samples of one series. */
const mostSamples = 1000

/** Change of a number from one sample to the next, by least squares. */
const slope = (values: readonly number[]): number => {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const covariance = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0)
  return covariance / values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0)
}

/** `each` is how many steps, evaluations or runs lie between two samples: slopes are of one. */
const summary = (samples: readonly Sample[], warmUp: number, each = 1) => {
  const settled = samples.slice(warmUp)
  if (settled.length < 2) return undefined
  const of = (value: (sample: Sample) => number) => settled.map(value)
  return {
    samples: samples.length,
    apart: each,
    warmUp,
    residentBytes: { first: settled[0]!.residentBytes, last: settled.at(-1)!.residentBytes },
    residentBytesEach: slope(of(({ residentBytes }) => residentBytes)) / each,
    heapBytesEach: slope(of(({ heapBytes }) => heapBytes)) / each,
    tensorBytesEach: slope(of(({ tensorBytes }) => tensorBytes)) / each,
    buffersEach: slope(of(({ buffers }) => buffers)) / each,
    descriptors: { first: settled[0]!.descriptors, last: settled.at(-1)!.descriptors },
    descriptorsEach: slope(of(({ descriptors }) => descriptors)) / each,
    threads: { first: settled[0]!.threads, last: settled.at(-1)!.threads },
    threadsEach: slope(of(({ threads }) => threads)) / each
  }
}

/** A line on standard error at each tenth of most samples: hours are long when nothing is said. */
const tellTraining = (samples: readonly Sample[], apart: number): void => {
  if (samples.length % (mostSamples / 10) !== 0) return
  const { residentBytes, residentBytesEach } = summary(samples, Math.floor(samples.length / 3), apart)!
  const said = `${samples.length * apart} steps: ${residentBytes.last} bytes resident, ${residentBytesEach.toFixed(1)} more a step`
  process.stderr.write(`${said}\n`)
}

const recipeOf = (model: string, steps: number, evaluations: number) => {
  const bilevel = { match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }
  const benchmark = { name: "nano", data: join(nano, "evaluation/short.tsv"), limit: 5 }
  const qat = {
    use: "qat",
    data: { meta: join(nano, "datasets.json") },
    accumulation: 1,
    // More than enough samples.
    epochs: steps,
    maxSteps: steps,
    // Features of new pictures are kept on purpose, up to a limit; here they would look like a leak.
    featureCache: "0 B",
    quantizers: [bilevel],
    loss: { confidence: 0.5 }
  }
  const asked = Array.from({ length: evaluations }, (_, i) => ({
    use: "evaluate",
    title: `${i + 1}`,
    benchmarks: [benchmark]
  }))
  return { version: 1, name: "soak", model, seed: 1, stages: [qat, ...asked] }
}

/** A run of one step, with services of its own. */
const oneRun = async (model: string): Promise<Usage> => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-soak-"))
  const program = Effect.gen(function* () {
    yield* Recipe.run(yield* Recipe.decode(stages, recipeOf(model, 1, 0)))
    return (yield* Compute).backend.usage()
  })
  const usage = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(services(directory))))
  rmSync(directory, { recursive: true, force: true })
  return usage
}

const services = (directory: string) =>
  Layer.mergeAll(
    RunDirectory.layer(directory).pipe(Layer.provideMerge(NodeServices.layer)),
    Compute.layer({ backend: "native" }),
    SampleWorkers.layer({ count: 1 })
  )

export const soak = async (flags: Flags) => {
  const model = flags.text("model")
  if (model === undefined) throw new Error('soak needs --model DIR; "speedq init --config nano --out DIR" makes one')
  const [steps, evaluations] = [flags.number("steps", 300), flags.number("evaluations", 50)]
  const runs = flags.number("runs", 20)
  const apart = Math.ceil(steps / mostSamples)
  const directory = mkdtempSync(join(tmpdir(), "speedq-soak-"))
  const [training, asking, whole]: [Sample[], Sample[], Sample[]] = [[], [], []]
  const program = Effect.gen(function* () {
    const { backend } = yield* Compute
    const watch = (entry: Entry) => {
      if (isEntryOf(RunEvents.StepDone, entry) && entry.stage === "01-qat" && entry.event.step % apart === 0) {
        training.push(sampleOf(backend.usage()))
        tellTraining(training, apart)
      }
      if (isEntryOf(RunEvents.StageFinished, entry) && entry.stage !== "01-qat") asking.push(sampleOf(backend.usage()))
    }
    yield* (yield* Events).subscribe({ write: watch, flush: Effect.void })
    yield* Recipe.run(yield* Recipe.decode(stages, recipeOf(model, steps, evaluations)))
    return backend.name
  })
  const backend = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(services(directory))))
  rmSync(directory, { recursive: true, force: true })
  for (let run = 0; run < runs; run++) whole.push(sampleOf(await oneRun(model)))
  return {
    case: "soak",
    ...machine(),
    backend,
    collected: collect !== undefined,
    training: summary(training, Math.floor(training.length / 3), apart),
    evaluations: summary(asking, Math.floor(asking.length / 5)),
    runs: summary(whole, Math.floor(whole.length / 5))
  }
}
