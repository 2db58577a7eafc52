/**
 * Parts of a mini-batch as units of work that other processes compute: gradients by the soft weights, from rounding variables in a file to
 * sums in a file. Inputs and targets each process makes itself, from its own model and data and the weights of the blocks before, which the
 * run writes once a block.
 */
import { type RoundingGradients, releaseRoundingGradients } from "@speedq/adaround"
import { releasePacked, releaseParameters } from "@speedq/exports"
import {
  Codec,
  FileRecord,
  numbered,
  type UnitBatch,
  UnitComputers,
  type UnitFiles,
  UnitOffer,
  unitKind,
  writeSaved
} from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import { type Parameters, scope } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { Described, described, loadPacked } from "../artefacts/packedCodec.ts"
import { loadSaved } from "../artefacts/savedValue.ts"
import { loadTensors, packedSources, tensorSources } from "../artefacts/tensorCodec.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import type { BlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import type { BlockSession } from "./BlockSession.ts"

const PartInput = Schema.Struct({
  /** Place of the block in the tower. */
  index: Schema.Int,
  /** Weights of the blocks before; null where there are none. */
  before: Schema.NullOr(FileRecord),
  /** What the gradients are taken at. */
  variables: FileRecord,
  /** Samples of the part. */
  samples: Schema.Array(Schema.Int),
  /** Tokens of the whole mini-batch. */
  tokens: Schema.Int
})

/** A part of a mini-batch: from rounding variables to gradients. */
const partUnit = unitKind("part", { input: PartInput, output: Schema.Struct({ gradients: FileRecord }) })

const beforeCodec = Codec.make({
  data: Schema.Struct({ weights: Described }),
  save: (weights: PackedWeights) => ({ data: { weights: described(weights) }, tensors: packedSources(weights) }),
  load: ({ weights }, file) => loadPacked(weights, file)
})

const variablesCodec = Codec.make({
  data: Schema.Struct({}),
  save: (variables: Parameters) => ({ data: {}, tensors: tensorSources("variable", variables) }),
  load: (_, file) => Effect.flatMap(Compute, ({ backend }) => loadTensors(backend, file, "variable", "state"))
})

const gradientsCodec = Codec.make({
  data: Schema.Struct({}),
  save: ({ gradients, reconstruction }: RoundingGradients) => ({
    data: {},
    tensors: [...tensorSources("gradient", gradients), ...tensorSources("loss", { reconstruction })]
  }),
  load: (_, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const load = (prefix: string) => owned(loadTensors(backend, file, prefix, "state"), releaseParameters)
      const [gradients, loss] = [yield* load("gradient"), yield* load("loss")]
      return { gradients, reconstruction: loss["reconstruction"]! } satisfies RoundingGradients
    }).pipe(allOrNone)
})

type PartServices = Compute | FileSystem.FileSystem | Path.Path

/** Offers to compute parts of mini-batches for another process. */
export const offerParts = Effect.fnUntraced(function* <L extends Parameters, E extends Error, R>(
  caches: BlockCaches,
  { gradients: gradientsOf }: NonNullable<BlockMethod<L>["cut"]>,
  session: BlockSession<E, R>
) {
  const offer = yield* UnitOffer
  if (offer === undefined) return
  const services = yield* Effect.context<R | PartServices>()
  /** The block with its inputs as the run has them: weights of blocks before are looked at where it is not open yet. */
  const enter = (index: number, before: FileRecord | null, files: UnitFiles) =>
    Effect.acquireUseRelease(
      before === null || session.isAt(index)
        ? Effect.succeed<PackedWeights>(new Map())
        : Effect.flatMap(files.pathOf(before), (path) => loadSaved(beforeCodec, path)),
      (done) => session.enter(done, index, false),
      (done) => Effect.sync(() => releasePacked(done))
    )
  offer(partUnit, ({ index, before, variables: file, samples, tokens }, files) =>
    Effect.gen(function* () {
      const block = yield* enter(index, before, files)
      const variables = yield* loadSaved(variablesCodec, yield* files.pathOf(file))
      const found = yield* computing(() =>
        scope(() => gradientsOf(block, variables, caches.batch(samples), tokens))
      ).pipe(Effect.ensuring(Effect.sync(() => releaseParameters(variables))))
      const gradients = yield* files
        .write("gradients", (path) => writeSaved(path, gradientsCodec.save(found)))
        .pipe(Effect.ensuring(Effect.sync(() => releaseRoundingGradients(found))))
      return { gradients }
    }).pipe(Effect.provideContext(services))
  )
})

/** A mini-batch that is cut into parts. */
interface CutBatch {
  /** Counted from 0. */
  readonly iteration: number
  readonly variables: Parameters
  /** Samples of each part. */
  readonly parts: readonly (readonly number[])[]
  /** Of the whole mini-batch. */
  readonly tokens: number
}

/** A mini-batch whose parts others compute. */
interface PartsElsewhere {
  /** What a part came to, by its number, which the caller releases; undefined where it is to be computed here. */
  readonly gradientsOf: (part: number) => Effect.Effect<RoundingGradients | undefined, never, PartServices>
  /** Nobody needs what gradients were taken at any more. */
  readonly end: Effect.Effect<void>
}

/** Hands out the parts of a mini-batch, all at once; undefined while nobody computes for this process. */
export type HandOut = (batch: CutBatch) => Effect.Effect<PartsElsewhere | undefined, never, PartServices>

interface BlockOfStage {
  /** Directory of the stage. */
  readonly directory: string
  /** As reports name it: "vision block". */
  readonly title: string
  readonly index: number
  /** Weights of the blocks before. */
  readonly done: PackedWeights
}

const handingOut = (batch: UnitBatch, { title, index }: BlockOfStage, before: FileRecord | null): HandOut =>
  Effect.fnUntraced(function* ({ iteration, variables, parts, tokens }) {
    if ((yield* batch.runners) === 0) return undefined
    const file = yield* Effect.option(
      batch.files.write(numbered("variables", iteration), (path) => writeSaved(path, variablesCodec.save(variables)))
    )
    if (file._tag === "None") return undefined
    const handed = file.value
    const take = ({ gradients }: { readonly gradients: FileRecord }) =>
      Effect.flatMap(batch.files.pathOf(gradients), (path) => loadSaved(gradientsCodec, path)).pipe(
        Effect.tap(() => batch.files.drop(gradients))
      )
    const asked = yield* Effect.forEach(parts, (samples, part) =>
      batch.ask(
        partUnit,
        {
          name: `${numbered("iteration", iteration)}-${numbered("part", part, 4)}`,
          title: `part ${part + 1} of iteration ${iteration + 1} of ${title} ${index}`,
          input: { index, before, variables: handed, samples, tokens }
        },
        take
      )
    )
    const elsewhere: PartsElsewhere = { gradientsOf: (part) => asked[part]!, end: batch.files.drop(handed) }
    return elsewhere
  })

/** Begins to share the mini-batches of a block, for the life of the scope; undefined where nobody computes for this process. */
export const beginParts = Effect.fnUntraced(function* (of: BlockOfStage) {
  const { directory, title, index, done } = of
  const begun = (yield* UnitComputers)?.begin({
    ...{ stage: directory, name: numbered("block", index), title: `mini-batches of ${title} ${index}` },
    // They are added up. Variables and gradients come and go with every iteration.
    ...{ bits: "same", needsFolder: true }
  })
  const batch = begun === undefined ? undefined : yield* begun
  if (batch === undefined) return undefined
  yield* Effect.addFinalizer(() => batch.end)
  if (done.size === 0) return handingOut(batch, of, null)
  const file = yield* Effect.option(batch.files.write("before", (path) => writeSaved(path, beforeCodec.save(done))))
  return file._tag === "None" ? undefined : handingOut(batch, of, file.value)
})
