/** Threads that prepare samples: lengths and micro-batches a second, with one thread and with more. */
import { cpus } from "node:os"
import { dirname } from "node:path"
import { SampleWorkers } from "@speedq/stages"
import { carefulData, openTrainingData } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Flags } from "./measure.ts"

/** `--model DIR --meta FILE [--threads 1,2,4] [--samples N]` */
export const samples = async (flags: Flags) => {
  const [model, meta] = [flags.text("model"), flags.text("meta")]
  if (model === undefined || meta === undefined) throw new Error("--model DIR and --meta FILE are needed")
  const counts = (flags.text("threads") ?? "1,2,4").split(",").map(Number)
  const most = flags.number("samples", 64)

  const measure = Effect.fnUntraced(function* (threads: number) {
    const workers = yield* SampleWorkers
    const { index, count } = yield* openTrainingData({ meta, base: dirname(meta), percent: 100, seed: 1 })
    const making = { maxLength: 8192, maxTiles: flags.number("tiles", 6), quirks: carefulData, pictures: {} }
    const begun = performance.now()
    const loader = yield* workers.open({ model, index, ...making, dropped: new Set(), seed: 1 }, threads)
    const opened = performance.now()
    const share = Math.ceil(count / threads)
    const starts = Array.from({ length: threads }, (_, at) => at * share).filter((from) => from < count)
    yield* Effect.forEach(starts, (from) => loader.lengths(from, Math.min(count, from + share)), {
      concurrency: "unbounded"
    })
    const measured = performance.now()
    const taken = Math.min(most, count)
    yield* Effect.forEach(Array.from({ length: taken }).keys(), (sample) => loader.batch([sample], 0), {
      concurrency: 2 * threads
    })
    const done = performance.now()
    return {
      threads,
      start_s: (opened - begun) / 1000,
      lengths_per_s: (1000 * count) / (measured - opened),
      samples_per_s: (1000 * taken) / (done - measured),
      resident_gib: process.memoryUsage().rss / 2 ** 30
    }
  })
  const rows = []
  for (const threads of counts) {
    const run = Effect.scoped(measure(threads)).pipe(Effect.provide(SampleWorkers.layer()))
    rows.push(await Effect.runPromise(run))
  }
  return { case: "samples", processor: cpus()[0]?.model, cores: cpus().length, node: process.version, rows }
}
