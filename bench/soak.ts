/**
 * Whether memory stays flat: 300 training steps of stage 3 and 50 evaluations in one process, on a small model
 * (`speedq init --config nano --seed 1 --out DIR`). Slopes are least squares over the samples after a warm-up.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Entry, Events, isEntryOf, Recipe, RunDirectory, RunEvents } from "@speedq/pipeline"
import { Compute, SampleWorkers, stages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Flags, machine } from "./measure.ts"

const nano = new URL("../data/nano/", import.meta.url).pathname

interface Sample {
  readonly residentBytes: number
  readonly heapBytes: number
  readonly buffers: number
  readonly tensorBytes: number
}

/** Change of a number from one sample to the next, by least squares. */
const slope = (values: readonly number[]): number => {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const covariance = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0)
  return covariance / values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0)
}

const summary = (samples: readonly Sample[], warmUp: number) => {
  const settled = samples.slice(warmUp)
  const of = (value: (sample: Sample) => number) => settled.map(value)
  return {
    samples: samples.length,
    warmUp,
    residentBytes: { first: settled[0]!.residentBytes, last: settled.at(-1)!.residentBytes },
    residentBytesEach: slope(of(({ residentBytes }) => residentBytes)),
    heapBytesEach: slope(of(({ heapBytes }) => heapBytes)),
    tensorBytesEach: slope(of(({ tensorBytes }) => tensorBytes)),
    buffersEach: slope(of(({ buffers }) => buffers))
  }
}

const recipeOf = (model: string, steps: number, evaluations: number) => {
  const bilevel = { match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }
  const benchmark = { name: "nano", data: join(nano, "evaluation/short.tsv"), limit: 5 }
  const qat = {
    use: "qat",
    data: { meta: join(nano, "datasets.json") },
    accumulation: 2,
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

export const soak = async (flags: Flags) => {
  const model = flags.text("model")
  if (model === undefined) throw new Error('soak needs --model DIR; "speedq init --config nano --out DIR" makes one')
  const [steps, evaluations] = [flags.number("steps", 300), flags.number("evaluations", 50)]
  const collect = (globalThis as { readonly gc?: () => void }).gc
  const directory = mkdtempSync(join(tmpdir(), "speedq-soak-"))
  const [training, asking]: [Sample[], Sample[]] = [[], []]
  const program = Effect.gen(function* () {
    const { backend } = yield* Compute
    const sample = (): Sample => {
      collect?.()
      const { rss, heapUsed } = process.memoryUsage()
      const { buffers, bytes } = backend.usage()
      return { residentBytes: rss, heapBytes: heapUsed, buffers, tensorBytes: bytes }
    }
    const watch = (entry: Entry) => {
      if (isEntryOf(RunEvents.StepDone, entry) && entry.stage === "01-qat") training.push(sample())
      if (isEntryOf(RunEvents.StageFinished, entry) && entry.stage !== "01-qat") asking.push(sample())
    }
    yield* (yield* Events).subscribe({ write: watch, flush: Effect.void })
    yield* Recipe.run(yield* Recipe.decode(stages, recipeOf(model, steps, evaluations)))
    return backend.name
  })
  const services = Layer.mergeAll(
    RunDirectory.layer(directory).pipe(Layer.provideMerge(NodeServices.layer)),
    Compute.layer({ backend: "native" }),
    SampleWorkers.layer({ count: 1 })
  )
  const backend = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(services)))
  rmSync(directory, { recursive: true, force: true })
  return {
    case: "soak",
    ...machine(),
    backend,
    collected: collect !== undefined,
    training: summary(training, Math.floor(training.length / 3)),
    evaluations: summary(asking, Math.floor(asking.length / 5))
  }
}
