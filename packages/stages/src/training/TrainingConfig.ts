/** Options that training stages share; defaults are those of the reference's scripts. */
import { laterOption, option, optionalOption, requiredOption } from "@speedq/formats"
import { Compat, Count, CountOrNone, Rate, Share } from "@speedq/pipeline"
import { momentFormats } from "@speedq/tensors"
import { DataQuirks, referenceVideo } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"
import { PictureConfig } from "../data/pictureLimits.ts"

const scripts = "the reference's scripts"

/** How many frames of a video are shown. */
const Frames = Schema.Struct({
  min: option(Count, referenceVideo.minFrames, {
    description: "Fewest frames; a video with fewer repeats its last one.",
    unit: "frames",
    source: "the reference's `min_num_frame`"
  }),
  max: option(Count, referenceVideo.maxFrames, {
    description: "Most frames.",
    unit: "frames",
    source: "the reference's `max_num_frame`"
  })
}).check(
  Schema.makeFilter(
    ({ min, max }) => min <= max || `min ${min} is more than max ${max}: no number of frames is between`
  )
)

/** What is trained on. */
export const DataConfig = Schema.Struct({
  meta: requiredOption(Schema.NonEmptyString, {
    description:
      "JSON file that lists the data sets: root, annotation (JSONL), repetition. Paths in it are relative to its directory."
  }),
  percent: option(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 100 })), 100, {
    description:
      "Share of every data set that is drawn at random, with the recipe's seed. 0 takes all records in the order of the file.",
    unit: "percent",
    source: "all of the data; the reference's scripts draw 1 in stage 2 and 10 in stage 3"
  }),
  maxLength: option(Count, 8192, {
    description: "Longest sample; tokens beyond are cut off. Lower it to save memory.",
    unit: "tokens",
    source: scripts
  }),
  maxTiles: option(Count, 6, {
    description: "Most tiles that one image is cut into. Each costs the tokens of a whole tile (256 in InternVL3).",
    unit: "tiles",
    source: scripts
  }),
  images: optionalOption(PictureConfig, {
    description: "How pictures are read: files that are cut off, and the largest size.",
    source: "careful, or the reference's under `compat` reference",
    // In the fingerprint: another way to read pictures is other data.
    policy: true
  }),
  frames: optionalOption(Frames, {
    description:
      "Frames of a video: their number is drawn between `min` and `max` for every sample, and lowered until the sequence fits.",
    source: "8 to 32, as in the reference"
  }),
  onError: option(Schema.Literals(["fail", "substitute"]), "fail", {
    description:
      "What a record that cannot be used does: `fail` ends the stage and names the line, `substitute` takes another record of the same data set and counts it in the report.",
    source: "docs/quirks.md#quirk-8",
    policy: true
  }),
  pictures: option(Schema.Literals(["time", "bytes"]), "time", {
    description:
      "What tells that a picture is not the one that a stage began with: its size and the time of its last change, or its `bytes`, which takes a reading of all of them but lets them be copied and touched.",
    source: "chosen here: the least reading",
    policy: true
  }),
  workers: optionalOption(Count, {
    description:
      "Threads that prepare samples while the stage computes: they decode and tile pictures, and encode conversations. Each holds a tokenizer of its own.",
    unit: "threads",
    source: "all processors but one, in half of the free memory at 1 GiB each; results do not depend on it",
    policy: true
  }),
  warnShare: option(Share, 0.05, {
    description:
      "Share of the samples without anything to learn (no answer, or one that was cut off), or cut at `maxLength`, above which the stage warns. It stops where all of the first 64 have nothing.",
    unit: "share of the samples",
    source: "chosen here",
    policy: true
  }),
  quirks: optionalOption(DataQuirks, {
    description:
      "Switches of the reference's data pipeline, one by one. When given, it decides all of them: those left out are off, whatever `compat` says.",
    source: "none of them, or all under `compat` reference"
  })
})
export type DataConfig = typeof DataConfig.Type

/** How it is trained. */
export const OptimizationConfig = Schema.Struct({
  compat: Compat,
  epochs: option(Count, 1, { description: "Passes over the selected data.", unit: "epochs", source: scripts }),
  maxSteps: optionalOption(Count, {
    description: "Stops after so many steps. The learning rate's schedule is fitted to the steps that are made.",
    unit: "steps"
  }),
  lastStep: optionalOption(Schema.Literals(["keep", "drop"]), {
    description:
      "The last step of an epoch, where it has fewer micro-batches than `accumulation`: `keep` makes it, `drop` leaves its samples out, as the reference rounds its number of steps down. An epoch has one step at least.",
    source: "keep, or drop under `compat` reference: docs/quirks.md#quirk-29"
  }),
  batch: option(Count, 1, {
    description: "Samples that go through the model together. Raise it for small models; it costs memory.",
    unit: "samples",
    source: scripts
  }),
  accumulation: option(Count, 64, {
    description: "Micro-batches whose gradients are summed for one step of the optimizer.",
    unit: "micro-batches",
    source: "the reference's scripts: 8 GPUs with 8 each"
  }),
  shards: laterOption(Count, 1, {
    description:
      "Parts that the micro-batches of a step are cut into, one after the other. Each part's gradients are summed by themselves, and these sums then one after the other: the order of a sum, so that another number of parts gives slightly other numbers. Parts may be computed by several processes and machines, to the same bits as by one.",
    unit: "parts of a step",
    source: "1, one sum over all micro-batches; docs/cluster.md"
  }),
  shardParameters: laterOption(Schema.Literals(["f32", "bf16"]), "f32", {
    description:
      "What gradients are computed at: the parameters in `f32`, or rounded to `bf16`, wherever a shard is computed, so that they travel to other processes in half the bytes. The optimizer keeps and updates them in f32 all the same. Grids that are learned are not rounded.",
    source: "f32; docs/cluster.md"
  }),
  shardBackends: laterOption(Schema.Literals(["same", "any"]), "same", {
    description:
      "Who may compute shards: processes with the `same` bits alone, or, where the run is started with --other-backends, those on `any` backend too. Then the result depends on who computed what: it is near that of one process, and no run gives its bytes again.",
    source: "same, so that the bytes are those of one process; docs/cluster.md"
  }),
  learningRate: option(Rate, 8e-6, {
    description: "Highest learning rate, reached at the end of the warm-up. Small models need a larger one.",
    source: scripts
  }),
  warmupRatio: option(Share, 0.03, {
    description:
      "Share of the steps in which the learning rate rises from 0; afterwards it falls to 0 over half a cosine.",
    unit: "share of the steps",
    source: scripts
  }),
  weightDecay: option(Rate, 0.01, { description: "AdamW's weight decay.", source: scripts }),
  decays: option(Schema.Literals(["all", "matrices"]), "all", {
    description: "What the weight decay acts on: `all` parameters, or `matrices` alone, which spares norms and biases.",
    source: "docs/quirks.md#quirk-12"
  }),
  beta1: option(Rate, 0.9, { description: "AdamW's decay of the mean of gradients.", source: scripts }),
  beta2: option(Rate, 0.999, { description: "AdamW's decay of the mean of squared gradients.", source: scripts }),
  epsilon: option(Rate, 1e-8, { description: "AdamW's number against division by 0.", source: scripts }),
  optimizerStates: laterOption(Schema.Literals(momentFormats), "f32", {
    description:
      "What AdamW's two means are kept in between steps: `f32`, 8 bytes a parameter for both; `bf16`, 4, rounded up or down by turns; `int8`, 2.03, a code each and a scale for blocks of 256. Less memory and smaller saved states, for slightly other numbers.",
    source: "f32; int8 after Dettmers et al. 2022, arXiv:2110.02861"
  }),
  maxNorm: option(Rate, 1, {
    description: "Gradients whose norm, over all parameters together, is larger are scaled down to it.",
    source: "the default of Hugging Face's Trainer, which the reference keeps"
  }),
  groupByLength: option(Schema.Boolean, true, {
    description: "Puts samples of similar length into the same micro-batch, which wastes less padding.",
    source: scripts
  }),
  rematerialize: option(Schema.Union([Schema.Literal("auto"), Schema.Boolean]), "auto", {
    description:
      "Computes decoder layers again in the backward pass instead of keeping their inner values: less memory for one more forward pass. `auto` does it for micro-batches that would not fit otherwise.",
    source: "the reference always does; results are the same",
    policy: true
  }),
  dropPath: optionalOption(Share, {
    description:
      "Stochastic depth of the student's vision tower: how often its last block is skipped, falling to 0 at the first.",
    unit: "probability",
    source: "0, or 0.1 under `compat` reference: docs/quirks.md#quirk-7"
  }),
  featureCache: option(Schema.ByteSizeFromString, "1 GiB", {
    description: "Memory for features of the frozen vision tower, kept for images that come again.",
    unit: "bytes, as in 512 MiB",
    source: "chosen here for a laptop; results do not depend on it",
    policy: true
  })
})
export type OptimizationConfig = typeof OptimizationConfig.Type

/** Parts that are trained or left as they are, besides the language model's own layers. */
export const TrainedParts = Schema.Struct({
  projector: option(Schema.Boolean, true, {
    description: "Trains the projector; otherwise it stays as stage 2 left it.",
    source: "the reference's scripts, `freeze_mlp`"
  }),
  head: option(Schema.Boolean, false, {
    description:
      "Trains the output head, under fake quantization where `embeddings` quantizes it; otherwise it is quantized once and stays. A head that is the embedding is refused where `embeddings` quantizes that.",
    source: "the reference's scripts, `unfreeze_lm_head`"
  })
})

/** The same, with the vision tower. */
export const TrainedPartsAndTower = Schema.Struct({
  ...TrainedParts.fields,
  visionLayers: option(CountOrNone, 0, {
    description:
      "Last blocks of the vision tower that are trained. Their Linears learn under fake quantization by the quantizers that stage 1 used, starting from its result.",
    unit: "blocks",
    source: "the reference's scripts, `unfreeze_vit_layers`"
  })
})

/** Options of stages that train the language model. */
export const quantizeProjector = optionalOption(Schema.Boolean, {
  description: "Lets the rules decide about the projector's Linears too, which learn under fake quantization then.",
  source: "off: the reference's scripts, `quant_mlp`"
})

/** Options of stages whose Linears learn under fake quantization. */
export const gridOptions = {
  grids: laterOption(Schema.Literals(["follow", "learned"]), "follow", {
    description:
      "Scales and zero points of the Linears' groups: they `follow` the weights in every step, or are `learned` beside them, as a factor of the scale and a shift of the zero point that each group has. Needs `bilevel` or `uniform`.",
    source: "arXiv:2511.08914 §3"
  }),
  gridRate: optionalOption(Rate, {
    description:
      "Learning rate of factors and shifts of `grids` learned, as a factor of `learningRate`. They begin at 1 and 0, where weights are hundredths: they move less than weights do, as they are counted.",
    source: "1: chosen here"
  })
}

/** Where the teacher's decoder is between the times that it teaches. */
export const teacherWeights = laterOption(Schema.Literals(["memory", "file"]), "memory", {
  description:
    "Where the matrices of the teacher's decoder layers, and its embedding, are while it does not use them: in `memory`, or in its `file` alone, from which every micro-batch reads them. Less memory, by 2 bytes a parameter; reading costs little where the system has memory left to keep the file in.",
  source: "memory; results are the same",
  policy: true
})

/** The stochastic depth that options mean. */
export const dropPathOf = ({ dropPath, compat }: OptimizationConfig): number =>
  dropPath ?? (compat === "reference" ? 0.1 : 0)

/** Whether samples that do not fill the last step of an epoch are left out. */
export const dropsLastStep = ({ lastStep, compat }: OptimizationConfig): boolean =>
  (lastStep ?? (compat === "reference" ? "drop" : "keep")) === "drop"
