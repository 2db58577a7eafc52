/**
 * Searches of ranges as units of work that other processes compute: one Linear each. What the search knows of calibration data, the second
 * moments of inputs, is in a file of the decoder layer; the ranges that were found come back in one.
 */
import { releaseParameters } from "@speedq/exports"
import {
  Codec,
  FileRecord,
  numbered,
  UnitComputers,
  type UnitFiles,
  UnitOffer,
  unitKind,
  writeSaved
} from "@speedq/pipeline"
import type { Parameters, Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { loadSaved } from "../artefacts/savedValue.ts"
import { loadTensor, loadTensors, tensorSources } from "../artefacts/tensorCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { type ClippedLayer, type ClippingSearch, clippingBytes, searchLayer } from "./clipLayer.ts"

const RangeOutput = Schema.Struct({ ranges: FileRecord, errorBefore: Schema.Number, errorAfter: Schema.Number })

/** A Linear's ranges: from second moments of its inputs to ranges and errors. */
const rangeUnit = unitKind("ranges", {
  input: Schema.Struct({ layer: Schema.String, moments: FileRecord }),
  output: RangeOutput
})

const momentsCodec = (layer: string) =>
  Codec.make({
    data: Schema.Struct({}),
    save: (moments: Parameters) => ({ data: {}, tensors: tensorSources("moments", moments) }),
    // The other Linears' are not looked at.
    load: (_, file) =>
      Effect.flatMap(Compute, ({ backend }) => loadTensor(backend, file, `moments.${layer}`, "state")).pipe(
        Effect.map((tensor): Parameters => ({ [layer]: tensor }))
      )
  })

const rangesCodec = Codec.make({
  data: Schema.Struct({}),
  save: ({ min, max }: Pick<ClippedLayer, "min" | "max">) => ({
    data: {},
    tensors: tensorSources("range", { min, max })
  }),
  load: (_, file) =>
    Effect.gen(function* () {
      const { min, max } = yield* loadTensors((yield* Compute).backend, file, "range", "state")
      return { min: min!, max: max! }
    })
})

/** Offers to search for another process. */
export const offerRanges = Effect.fnUntraced(function* (search: ClippingSearch) {
  const offer = yield* UnitOffer
  if (offer === undefined) return
  const services = yield* Effect.context<Compute | FileSystem.FileSystem | Path.Path>()
  offer(rangeUnit, ({ layer, moments: file }, files: UnitFiles) =>
    Effect.gen(function* () {
      const moments = yield* loadSaved(momentsCodec(layer), yield* files.pathOf(file))
      const { errorBefore, errorAfter, ...found } = yield* computing(() =>
        searchLayer(search, layer, moments[layer]!)
      ).pipe(Effect.ensuring(Effect.sync(() => releaseParameters(moments))))
      const ranges = yield* files
        .write("ranges", (path) => writeSaved(path, rangesCodec.save(found)))
        .pipe(Effect.ensuring(Effect.sync(() => releaseParameters({ min: found.min, max: found.max }))))
      return { ranges, errorBefore, errorAfter }
    }).pipe(Effect.provideContext(services))
  )
})

/** Linears of one decoder layer whose ranges others search. */
interface RangesElsewhere {
  /** What was found for a Linear, which the caller releases; undefined where it is to be searched here. */
  readonly foundOf: (layer: string) => Effect.Effect<ClippedLayer | undefined, never, SearchServices>
  /** Gives up what is still on its way. */
  readonly end: Effect.Effect<void>
}

type SearchServices = Compute | FileSystem.FileSystem | Path.Path

interface LayerOfStage {
  /** Directory of the stage. */
  readonly directory: string
  /** The decoder layer. */
  readonly index: number
  /** Second moments by Linear. */
  readonly moments: ReadonlyMap<string, Tensor>
}

/** Hands out the Linears of a decoder layer, all at once; undefined while nobody computes for this process. */
export const rangesElsewhere = Effect.fnUntraced(function* (
  search: ClippingSearch,
  { directory, index, moments }: LayerOfStage
) {
  const computers = yield* UnitComputers
  if (computers === undefined || moments.size === 0) return undefined
  const batch = yield* computers.begin({
    ...{ stage: directory, name: numbered("layer", index), title: `decoder layer ${index}` },
    // Ranges are the stage's result.
    ...{ bits: "same", unitBytes: clippingBytes(search, moments.keys()) }
  })
  if (batch === undefined) return undefined
  if ((yield* batch.runners) === 0) return yield* Effect.as(batch.end, undefined)
  const tensors = Object.fromEntries(moments)
  const file = yield* Effect.option(
    batch.files.write("moments", (path) => writeSaved(path, momentsCodec("").save(tensors)))
  )
  if (file._tag === "None") return yield* Effect.as(batch.end, undefined)
  const asked = new Map<string, ReturnType<RangesElsewhere["foundOf"]>>()
  for (const layer of moments.keys()) {
    const take = ({ ranges, ...errors }: typeof RangeOutput.Type) =>
      Effect.flatMap(batch.files.pathOf(ranges), (path) => loadSaved(rangesCodec, path)).pipe(
        Effect.map((found): ClippedLayer => ({ layer, ...found, ...errors }))
      )
    const unit = { name: layer, title: `ranges of ${layer}`, input: { layer, moments: file.value } }
    asked.set(layer, yield* batch.ask(rangeUnit, unit, take))
  }
  const elsewhere: RangesElsewhere = { foundOf: (layer) => asked.get(layer)!, end: batch.end }
  return elsewhere
})
