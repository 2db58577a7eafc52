/** A block that was fitted from beginning to end, as one process hands it to another: its weights, and all that is told of it. */
import { Codec, type Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Described, described, loadPacked } from "../artefacts/packedCodec.ts"
import { readingSaved } from "../artefacts/readingSaved.ts"
import { packedSources } from "../artefacts/tensorCodec.ts"
import { FittedBlockData } from "./BlockProgress.ts"
import type { FinishedBlock } from "./fitBlock.ts"

/** Whoever gets it releases its weights. */
export interface WholeBlock extends FinishedBlock {
  /** What is told of each iteration. */
  readonly metrics: readonly Stage.Metrics[]
}

const metricsName = "metrics"

/** Numbers of iterations as doubles [iterations, names], which keep every bit of them. */
const metricsTensor = (names: readonly string[], metrics: readonly Stage.Metrics[]) => {
  const numbers = Float64Array.from(metrics.flatMap((each) => names.map((name) => each[name]!)))
  return {
    name: metricsName,
    dtype: "F64" as const,
    shape: [metrics.length, names.length],
    data: Effect.succeed(new Uint8Array(numbers.buffer))
  }
}

export const wholeBlockCodec = Codec.make({
  data: Schema.Struct({
    weights: Described,
    report: FittedBlockData,
    /** Names of the numbers of an iteration, in the order in which they are told. */
    names: Schema.Array(Schema.String)
  }),
  save: ({ weights, report, metrics }: WholeBlock) => {
    const names = Object.keys(metrics[0] ?? {})
    return {
      data: { weights: described(weights), report, names },
      tensors: [...packedSources(weights), ...(names.length === 0 ? [] : [metricsTensor(names, metrics)])]
    }
  },
  load: Effect.fnUntraced(function* ({ weights, report, names }, file) {
    const metrics = yield* readingSaved(file.path, () => {
      if (names.length === 0) return []
      const { shape } = file.tensors.get(metricsName)!
      const numbers = new Float64Array(shape[0]! * names.length)
      file.store.readInto(metricsName, new Uint8Array(numbers.buffer))
      return Array.from({ length: shape[0]! }, (_, at) =>
        Object.fromEntries(names.map((name, column) => [name, numbers[at * names.length + column]!]))
      )
    })
    const whole: WholeBlock = { weights: yield* loadPacked(weights, file), report, metrics }
    return whole
  })
})
