/** Options of the stages. Written by `npm run options` from the schemas. */
import type { ChoiceInput, RuleInput } from "@speedq/quantizers"
import type { Json } from "effect/Schema"

export interface DataOptions {
  /**
   * JSON file that lists the data sets: root, annotation (JSONL), repetition. Paths in it are relative to its
   * directory.
   */
  readonly meta: string
  /**
   * Share of every data set that is drawn at random, with the recipe's seed. 0 takes all records in the order of
   * the file.
   *
   * Unit: percent.
   *
   * Default from: all of the data; the reference's scripts draw 1 in stage 2 and 10 in stage 3.
   * @default 100
   */
  readonly percent?: number
  /**
   * Longest sample; tokens beyond are cut off. Lower it to save memory.
   *
   * Unit: tokens.
   *
   * Default from: the reference's scripts.
   * @default 8192
   */
  readonly maxLength?: number
  /**
   * Most tiles that one image is cut into. Each costs the tokens of a whole tile (256 in InternVL3).
   *
   * Unit: tiles.
   *
   * Default from: the reference's scripts.
   * @default 6
   */
  readonly maxTiles?: number
  /**
   * How pictures are read: files that are cut off, and the largest size.
   *
   * Left out: careful, or the reference's under `compat` reference.
   *
   * May be changed while a run goes on.
   */
  readonly images?: {
    /**
     * What a picture does whose pixels are cut off or damaged: `reject` refuses the file, `load` keeps what can be
     * decoded of a JPEG, PNG, GIF or BMP and fills the rest as Pillow does.
     *
     * Left out: reject, or load under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly truncated?: "load" | "reject"
    /**
     * Pictures and frames of videos with more pixels are refused: they are more likely an attack than a picture. So
     * are records whose pictures have more together. A picture of 400 megapixels takes 1.2 GB while it is prepared.
     *
     * Unit: pixels.
     *
     * Left out: 178956970, Pillow's limit, or no limit under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly maxPixels?: number
  }
  /**
   * Frames of a video: their number is drawn between `min` and `max` for every sample, and lowered until the
   * sequence fits.
   *
   * Left out: 8 to 32, as in the reference.
   */
  readonly frames?: {
    /**
     * Fewest frames; a video with fewer repeats its last one.
     *
     * Unit: frames.
     *
     * Default from: the reference's `min_num_frame`.
     * @default 8
     */
    readonly min?: number
    /**
     * Most frames.
     *
     * Unit: frames.
     *
     * Default from: the reference's `max_num_frame`.
     * @default 32
     */
    readonly max?: number
  }
  /**
   * What a record that cannot be used does: `fail` ends the stage and names the line, `substitute` takes another
   * record of the same data set and counts it in the report.
   *
   * Default from: docs/quirks.md#quirk-8.
   *
   * May be changed while a run goes on.
   * @default "fail"
   */
  readonly onError?: "fail" | "substitute"
  /**
   * What tells that a picture is not the one that a stage began with: its size and the time of its last change, or
   * its `bytes`, which takes a reading of all of them but lets them be copied and touched.
   *
   * Default from: chosen here: the least reading.
   *
   * May be changed while a run goes on.
   * @default "time"
   */
  readonly pictures?: "time" | "bytes"
  /**
   * Threads that prepare samples while the stage computes: they decode and tile pictures, and encode
   * conversations. Each holds a tokenizer of its own.
   *
   * Unit: threads.
   *
   * Left out: all processors but one, in half of the free memory at 1 GiB each; results do not depend on it.
   *
   * May be changed while a run goes on.
   */
  readonly workers?: number
  /**
   * Share of the samples without anything to learn (no answer, or one that was cut off), or cut at `maxLength`,
   * above which the stage warns. It stops where all of the first 64 have nothing.
   *
   * Unit: share of the samples.
   *
   * Default from: chosen here.
   *
   * May be changed while a run goes on.
   * @default 0.05
   */
  readonly warnShare?: number
  /**
   * Switches of the reference's data pipeline, one by one. When given, it decides all of them: those left out are
   * off, whatever `compat` says.
   *
   * Left out: none of them, or all under `compat` reference.
   */
  readonly quirks?: {
    /**
     * Hides every token of id 0 (`!` in the released tokenizer) from attention, as if it were padding.
     *
     * Default from: docs/quirks.md#quirk-6.
     * @default false
     */
    readonly maskTokenZero?: boolean
    /**
     * Times that a rejected record is replaced by a random one of its data set before the stage fails; the reference
     * tries 10 times.
     *
     * Unit: records.
     *
     * Default from: docs/quirks.md#quirk-8.
     * @default 0
     */
    readonly substitutions?: number
    /**
     * Videos keep all their frames when the sequence is full, so that answers or images are cut off.
     *
     * Default from: docs/quirks.md#quirk-9.
     * @default false
     */
    readonly uncappedVideo?: boolean
    /**
     * Looks for `<image>` or `<video>` in the first turn alone, whoever speaks there, and puts it there when it is
     * missing; in a system turn the record then fails.
     *
     * Default from: docs/quirks.md#quirk-18.
     * @default false
     */
    readonly placeholderInFirstTurn?: boolean
    /**
     * Leaves an `<image>` or `<video>` without a picture as text, in answers too, and does not read `images`,
     * `videos` and `messages`.
     *
     * Default from: docs/quirks.md#quirk-27.
     * @default false
     */
    readonly unmatchedPlaceholders?: boolean
    /**
     * A control token that a record spells out, such as `<|im_end|>`, becomes that token.
     *
     * Default from: docs/quirks.md#quirk-28.
     * @default false
     */
    readonly controlTokensInText?: boolean
    /**
     * Text-only records carry a white tile through the vision tower. Training leaves it out in any case: the result
     * is the same.
     *
     * Default from: docs/quirks.md#quirk-19.
     * @default false
     */
    readonly textOnlyTile?: boolean
    /**
     * Estimates lengths by the number of characters, and counts image tokens only when that number was seen before.
     *
     * Default from: docs/quirks.md#quirk-20.
     * @default false
     */
    readonly lengthByCharacters?: boolean
  }
}

export interface OtherLossOptions {
  /** Name of the loss. */
  readonly use: "cross-entropy" | "cakld" | (string & Record<never, never>)
  /**
   * How strong it is; 0 leaves it out.
   *
   * Default from: chosen here: the loss as it is.
   * @default 1
   */
  readonly factor?: number
  /** Options of the loss. */
  readonly with?: { readonly [name: string]: Json }
}

export interface LossOptions {
  /**
   * Factor of the cross entropy with the labels; 0 leaves it out.
   *
   * Default from: arXiv:2511.08914 §3.
   * @default 1
   */
  readonly crossEntropy?: number
  /**
   * Share of the cross entropy that is spread evenly over the vocabulary.
   *
   * Default from: the reference's scripts.
   * @default 0.1
   */
  readonly labelSmoothing?: number
  /**
   * Factor of the distillation loss (CAKLD) towards the full-precision teacher; 0 leaves it out, and the teacher
   * with it.
   *
   * Default from: arXiv:2511.08914 §3.
   * @default 1
   */
  readonly cakld?: number
  /**
   * Logits of student and teacher are divided by it in the distillation loss. Above 1, rare tokens count more.
   *
   * Default from: the reference has none.
   * @default 1
   */
  readonly temperature?: number
  /**
   * Rows that the distillation loss looks at: `shifted` takes those that predict a label, `unshifted` those that
   * carry one, `all` every row up to the last answer, so that what the teacher expects within prompts and pictures
   * is learned, too.
   *
   * Left out: shifted, or unshifted under `compat` reference: docs/quirks.md#quirk-1.
   */
  readonly mask?: "shifted" | "unshifted" | "all"
  /**
   * The distillation loss is the `sum` over a sample's tokens, so that long answers count more, or the `mean` over
   * all tokens.
   *
   * Default from: the reference.
   * @default "sum"
   */
  readonly reduction?: "sum" | "mean"
  /**
   * Share of the reverse divergence in CAKLD, from 0 to 1. `teacher` measures it before training: the teacher's
   * mean confidence.
   *
   * Default from: arXiv:2511.08914 §3.
   * @default "teacher"
   */
  readonly confidence?: "teacher" | number
  /**
   * Micro-batches on which the teacher's confidence is measured.
   *
   * Unit: micro-batches.
   *
   * Default from: the reference's scripts.
   * @default 100
   */
  readonly confidenceBatches?: number
  /**
   * Rows that the teacher's confidence is a mean over: those that predict an answer, or `all`, prompt and padding
   * included.
   *
   * Left out: answers, or all under `compat` reference: docs/quirks.md#quirk-2.
   */
  readonly confidenceRows?: "answers" | "all"
  /**
   * `exact` is a mean; `reference` measures one batch more than `confidenceBatches` and divides by that number.
   *
   * Left out: exact, or reference under `compat` reference: docs/quirks.md#quirk-2.
   */
  readonly confidenceMean?: "exact" | "reference"
  /**
   * Factor of the distance between the final hidden states of student and teacher: the mean of squared differences
   * over the rows that predict an answer. 0 leaves it out.
   *
   * Left out: none: the paper has no such loss.
   */
  readonly hidden?: number
  /**
   * Losses that plugins or extensions of the run bring, each by its name, with a factor and its own options; they
   * are added to the two of ours.
   *
   * Left out: none.
   */
  readonly others?: readonly OtherLossOptions[]
}

export interface BenchmarkOptions {
  /** Name of the benchmark, as `AI2D_TEST`. */
  readonly name:
    | "HallusionBench"
    | "AI2D_TEST"
    | "OCRBench"
    | "MMBench_DEV_EN_V11"
    | "MMBench_DEV_CN_V11"
    | "MMStar"
    | "MMMU_DEV_VAL"
    | "ScienceQA_VAL"
    | "SEEDBench_IMG"
    | "nano"
    | (string & Record<never, never>)
  /** TSV file of its questions. */
  readonly data: string
  /**
   * Asks only the first rows of the file.
   *
   * Unit: rows.
   */
  readonly limit?: number
}

export interface TrainingStageOptions {
  /** What is trained on. */
  readonly data: DataOptions
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Passes over the selected data.
   *
   * Unit: epochs.
   *
   * Default from: the reference's scripts.
   * @default 1
   */
  readonly epochs?: number
  /**
   * Stops after so many steps. The learning rate's schedule is fitted to the steps that are made.
   *
   * Unit: steps.
   */
  readonly maxSteps?: number
  /**
   * The last step of an epoch, where it has fewer micro-batches than `accumulation`: `keep` makes it, `drop`
   * leaves its samples out, as the reference rounds its number of steps down. An epoch has one step at least.
   *
   * Left out: keep, or drop under `compat` reference: docs/quirks.md#quirk-29.
   */
  readonly lastStep?: "keep" | "drop"
  /**
   * Samples that go through the model together. Raise it for small models; it costs memory.
   *
   * Unit: samples.
   *
   * Default from: the reference's scripts.
   * @default 1
   */
  readonly batch?: number
  /**
   * Micro-batches whose gradients are summed for one step of the optimizer.
   *
   * Unit: micro-batches.
   *
   * Default from: the reference's scripts: 8 GPUs with 8 each.
   * @default 64
   */
  readonly accumulation?: number
  /**
   * Parts that the micro-batches of a step are cut into, one after the other. Each part's gradients are summed by
   * themselves, and these sums then one after the other: the order of a sum, so that another number of parts gives
   * slightly other numbers. Parts may be computed by several processes and machines, to the same bits as by one.
   *
   * Unit: parts of a step.
   *
   * Default from: 1, one sum over all micro-batches; docs/cluster.md.
   * @default 1
   */
  readonly shards?: number
  /**
   * What gradients are computed at: the parameters in `f32`, or rounded to `bf16`, wherever a shard is computed,
   * so that they travel to other processes in half the bytes. The optimizer keeps and updates them in f32 all the
   * same. Grids that are learned are not rounded.
   *
   * Default from: f32; docs/cluster.md.
   * @default "f32"
   */
  readonly shardParameters?: "f32" | "bf16"
  /**
   * Who may compute shards: processes with the `same` bits alone, or, where the run is started with
   * --other-backends, those on `any` backend too. Then the result depends on who computed what: it is near that of
   * one process, and no run gives its bytes again.
   *
   * Default from: same, so that the bytes are those of one process; docs/cluster.md.
   * @default "same"
   */
  readonly shardBackends?: "same" | "any"
  /**
   * Highest learning rate, reached at the end of the warm-up. Small models need a larger one.
   *
   * Default from: the reference's scripts.
   * @default 0.000008
   */
  readonly learningRate?: number
  /**
   * Share of the steps in which the learning rate rises from 0; afterwards it falls to 0 over half a cosine.
   *
   * Unit: share of the steps.
   *
   * Default from: the reference's scripts.
   * @default 0.03
   */
  readonly warmupRatio?: number
  /**
   * AdamW's weight decay.
   *
   * Default from: the reference's scripts.
   * @default 0.01
   */
  readonly weightDecay?: number
  /**
   * What the weight decay acts on: `all` parameters, or `matrices` alone, which spares norms and biases.
   *
   * Default from: docs/quirks.md#quirk-12.
   * @default "all"
   */
  readonly decays?: "all" | "matrices"
  /**
   * AdamW's decay of the mean of gradients.
   *
   * Default from: the reference's scripts.
   * @default 0.9
   */
  readonly beta1?: number
  /**
   * AdamW's decay of the mean of squared gradients.
   *
   * Default from: the reference's scripts.
   * @default 0.999
   */
  readonly beta2?: number
  /**
   * AdamW's number against division by 0.
   *
   * Default from: the reference's scripts.
   * @default 1e-8
   */
  readonly epsilon?: number
  /**
   * What AdamW's two means are kept in between steps: `f32`, 8 bytes a parameter for both; `bf16`, 4, rounded up
   * or down by turns; `int8`, 2.03, a code each and a scale for blocks of 256. Less memory and smaller saved
   * states, for slightly other numbers.
   *
   * Default from: f32; int8 after Dettmers et al. 2022, arXiv:2110.02861.
   * @default "f32"
   */
  readonly optimizerStates?: "f32" | "bf16" | "int8"
  /**
   * Gradients whose norm, over all parameters together, is larger are scaled down to it.
   *
   * Default from: the default of Hugging Face's Trainer, which the reference keeps.
   * @default 1
   */
  readonly maxNorm?: number
  /**
   * Puts samples of similar length into the same micro-batch, which wastes less padding.
   *
   * Default from: the reference's scripts.
   * @default true
   */
  readonly groupByLength?: boolean
  /**
   * Computes decoder layers again in the backward pass instead of keeping their inner values: less memory for one
   * more forward pass. `auto` does it for micro-batches that would not fit otherwise.
   *
   * Default from: the reference always does; results are the same.
   *
   * May be changed while a run goes on.
   * @default "auto"
   */
  readonly rematerialize?: "auto" | boolean
  /**
   * Stochastic depth of the student's vision tower: how often its last block is skipped, falling to 0 at the
   * first.
   *
   * Unit: probability.
   *
   * Left out: 0, or 0.1 under `compat` reference: docs/quirks.md#quirk-7.
   */
  readonly dropPath?: number
  /**
   * Memory for features of the frozen vision tower, kept for images that come again.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "1 GiB"
   */
  readonly featureCache?: string
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
}

export interface AllocateBitsOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * What the weights that `candidates` name may take together: bits a weight on average, scales included, as `2.3
   * bits`, or a size, as `300 MB`.
   */
  readonly budget: string
  /**
   * What there is to choose from: lists of rules, or schemes of the recipe by name. All are about the same Linears
   * of transformer blocks, in the vision tower, the language model, or both.
   */
  readonly candidates: readonly (readonly RuleInput[])[]
  /**
   * What gets its bits together: a `block`, the Linears of a transformer block, or each `layer`. Each is measured
   * with every candidate: layers take four to seven times as long as blocks.
   *
   * Default from: chosen here: the least time.
   * @default "block"
   */
  readonly unit?: "block" | "layer"
  /** Records whose answers the divergences are measured on, with pictures where the tower is quantized. */
  readonly data: DataOptions
  /**
   * Records that are used, the first in an order drawn with the recipe's seed.
   *
   * Unit: records.
   *
   * Default from: chosen here.
   * @default 32
   */
  readonly records?: number
}

export interface AdaRoundVitOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Where calibration images are drawn from, with the recipe's seed: a directory, a text file that lists images,
   * or the JSON meta file of a training mixture; or several of them, as one pool.
   */
  readonly images: string | readonly [string, ...string[]]
  /**
   * Tiles of calibration images that are used. More cost memory, disk and time.
   *
   * Unit: tiles.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 1024
   */
  readonly count?: number
  /**
   * Most tiles that one image is cut into, besides its thumbnail. A data set of a mixture may have its own number.
   * 1 shows each image as one tile, resized.
   *
   * Unit: tiles.
   *
   * Default from: the crops and the thumbnail that the model sees in training.
   * @default 6
   */
  readonly maxTiles?: number
  /**
   * How pictures are read: files that are cut off, and the largest size.
   *
   * Left out: careful, or the reference's under `compat` reference.
   *
   * May be changed while a run goes on.
   */
  readonly reading?: {
    /**
     * What a picture does whose pixels are cut off or damaged: `reject` refuses the file, `load` keeps what can be
     * decoded of a JPEG, PNG, GIF or BMP and fills the rest as Pillow does.
     *
     * Left out: reject, or load under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly truncated?: "load" | "reject"
    /**
     * Pictures and frames of videos with more pixels are refused: they are more likely an attack than a picture. So
     * are records whose pictures have more together. A picture of 400 megapixels takes 1.2 GB while it is prepared.
     *
     * Unit: pixels.
     *
     * Left out: 178956970, Pillow's limit, or no limit under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly maxPixels?: number
  }
  /**
   * What a calibration image that cannot be used does: `fail` ends the stage and names the file, `substitute`
   * draws another one and names it in the report.
   *
   * Default from: as the option of training data: docs/quirks.md#quirk-8.
   *
   * May be changed while a run goes on.
   * @default "fail"
   */
  readonly onError?: "fail" | "substitute"
  /**
   * Rules that give the vision tower's Linears their quantizers; the first that matches decides. AdaRound works
   * with `bilevel` and `uniform`.
   */
  readonly quantizers: readonly RuleInput[]
  /**
   * How errors of a block's output count: all alike, or by `fisher`: by the gradient of the full-precision model's
   * answer there. Fisher weights cost a forward and a backward pass of the whole model for each tile and block.
   *
   * Default from: none is BRECQ's plain error (arXiv:2102.05426); no gain of Fisher weights is measured yet.
   * @default "none"
   */
  readonly weighting?: "none" | "fisher"
  /**
   * Iterations for each block. 0 rounds to nearest.
   *
   * Unit: iterations.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 20000
   */
  readonly iterations?: number
  /**
   * Tiles of one iteration.
   *
   * Unit: tiles.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 32
   */
  readonly batch?: number
  /**
   * Adam's learning rate for the rounding variables. Raise it when `iterations` is small.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.001
   */
  readonly learningRate?: number
  /**
   * Weight of the term that pushes every rounding to 0 or 1.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.01
   */
  readonly lambda?: number
  /**
   * Share of the iterations in which the rounding term of `lambda` is left out.
   *
   * Unit: share of the iterations.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.2
   */
  readonly warmup?: number
  /**
   * First exponent of the rounding term: a large one leaves undecided roundings alone.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 20
   */
  readonly betaStart?: number
  /**
   * Last exponent of the rounding term, reached linearly: a small one decides every rounding.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 2
   */
  readonly betaEnd?: number
  /**
   * Parts that the tiles of an iteration are cut into, one after the other. Each part's gradients are summed by
   * themselves, and these sums then one after the other: another number of parts gives slightly other numbers.
   * With `asymmetric` inputs parts may be computed by several processes, to the same bits as by one.
   *
   * Unit: parts of an iteration.
   *
   * Default from: 1, one sum over all tiles; docs/cluster.md.
   * @default 1
   */
  readonly shards?: number
  /**
   * Inputs that a block is fitted on: those of the `asymmetric` model, whose earlier blocks are quantized already,
   * or those of the full-precision model.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default "asymmetric"
   */
  readonly inputs?: "asymmetric" | "full-precision"
  /**
   * What becomes of a block whose error AdaRound left larger than rounding to nearest does: it is rounded to
   * `nearest`, with a warning; `keep` does not look.
   *
   * Default from: docs/quirks.md#quirk-25.
   * @default "nearest"
   */
  readonly worse?: "nearest" | "keep"
  /**
   * Memory for cached activations; what does not fit goes to files of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
}

export interface BlockwiseVitOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Where calibration images are drawn from, with the recipe's seed: a directory, a text file that lists images,
   * or the JSON meta file of a training mixture; or several of them, as one pool.
   */
  readonly images: string | readonly [string, ...string[]]
  /**
   * Tiles of calibration images that are used. More cost memory, disk and time.
   *
   * Unit: tiles.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 1024
   */
  readonly count?: number
  /**
   * Most tiles that one image is cut into, besides its thumbnail. A data set of a mixture may have its own number.
   * 1 shows each image as one tile, resized.
   *
   * Unit: tiles.
   *
   * Default from: the crops and the thumbnail that the model sees in training.
   * @default 6
   */
  readonly maxTiles?: number
  /**
   * How pictures are read: files that are cut off, and the largest size.
   *
   * Left out: careful, or the reference's under `compat` reference.
   *
   * May be changed while a run goes on.
   */
  readonly reading?: {
    /**
     * What a picture does whose pixels are cut off or damaged: `reject` refuses the file, `load` keeps what can be
     * decoded of a JPEG, PNG, GIF or BMP and fills the rest as Pillow does.
     *
     * Left out: reject, or load under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly truncated?: "load" | "reject"
    /**
     * Pictures and frames of videos with more pixels are refused: they are more likely an attack than a picture. So
     * are records whose pictures have more together. A picture of 400 megapixels takes 1.2 GB while it is prepared.
     *
     * Unit: pixels.
     *
     * Left out: 178956970, Pillow's limit, or no limit under `compat` reference: docs/quirks.md#quirk-26.
     */
    readonly maxPixels?: number
  }
  /**
   * What a calibration image that cannot be used does: `fail` ends the stage and names the file, `substitute`
   * draws another one and names it in the report.
   *
   * Default from: as the option of training data: docs/quirks.md#quirk-8.
   *
   * May be changed while a run goes on.
   * @default "fail"
   */
  readonly onError?: "fail" | "substitute"
  /**
   * Rules that give the vision tower's Linears their quantizers; the first that matches decides. Block-AP works
   * with `bilevel` and `uniform`.
   */
  readonly quantizers: readonly RuleInput[]
  /**
   * Passes over the tiles, for each block.
   *
   * Unit: epochs.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 2
   */
  readonly epochs?: number
  /**
   * Tiles of one iteration.
   *
   * Unit: tiles.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 32
   */
  readonly batch?: number
  /**
   * Adam's rate for the weights, at the beginning of each block; it falls to a twentieth. Small models need a
   * larger one.
   *
   * Left out: 2e-5 at 2 bits and 1e-5 at more, as EfficientQAT (arXiv:2407.11062).
   */
  readonly learningRate?: number
  /**
   * Scales and zero points of the groups `follow` the weights, or are `learned` beside them.
   *
   * Left out: learned with `uniform`, as EfficientQAT (arXiv:2407.11062); follow with `bilevel`, whose groups
   * share what is stored of their scales.
   */
  readonly grids?: "follow" | "learned"
  /**
   * Adam's rate for scales and zero points, where they are learned.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 0.0001
   */
  readonly gridRate?: number
  /**
   * Inputs that a block is fitted on: those of the `asymmetric` model, whose earlier blocks are quantized already,
   * or those of the full-precision model.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default "asymmetric"
   */
  readonly inputs?: "asymmetric" | "full-precision"
  /**
   * What becomes of a block whose error Block-AP left larger than rounding to nearest does: it is rounded to
   * `nearest`, with a warning; `keep` does not look.
   *
   * Default from: docs/quirks.md#quirk-25.
   * @default "nearest"
   */
  readonly worse?: "nearest" | "keep"
  /**
   * Memory for cached activations; what does not fit goes to files of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
}

export interface ImportVitOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * The quantized tower: a safetensors or torch file, which is not executed, or a directory with one. Dequantized
   * numbers (the reference's `quant_vit_path`), a packed model, or a run's `quantizedVision.safetensors`.
   */
  readonly weights: string
  /**
   * Rules that say on which quantizer's grid dequantized numbers lie; the first that matches decides. Weights that
   * lie on it exactly are packed.
   *
   * Default from: none: dequantized numbers stay numbers.
   * @default []
   */
  readonly quantizers?: readonly RuleInput[]
  /**
   * What a weight does that a rule names and that is not exactly on the grid: `keep` uses its numbers, in 16 or 32
   * bits as they are stored, `fail` ends the stage.
   *
   * Default from: keep: the reference uses the numbers.
   * @default "keep"
   */
  readonly offGrid?: "keep" | "fail"
}

export type TrainProjectorOptions = TrainingStageOptions

export interface AutoclipOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Text that the search runs on: JSONL with `text` or `conversations`, or paragraphs. Or `{ meta, ... }` as in
   * training: records with their images.
   */
  readonly calibration: string | DataOptions
  /**
   * Documents of the text, or records, that are used.
   *
   * Unit: documents.
   *
   * Default from: the reference.
   * @default 128
   */
  readonly documents?: number
  /**
   * Documents of text with more tokens are passed over. Records are not.
   *
   * Unit: tokens.
   *
   * Default from: the reference.
   * @default 512
   */
  readonly longest?: number
  /**
   * Text is joined and cut into sequences of this length; a record is a sequence of its own.
   *
   * Unit: tokens.
   *
   * Default from: the reference.
   * @default 1024
   */
  readonly block?: number
  /**
   * Tokens, evenly spread over all sequences, on which the error of a layer is measured.
   *
   * Unit: tokens.
   *
   * Default from: the reference.
   * @default 512
   */
  readonly sampleTokens?: number
  /**
   * Steps that the way from the full range to 0 is cut into; `maxShrink` says how many of them are tried.
   *
   * Unit: steps.
   *
   * Default from: the reference.
   * @default 20
   */
  readonly gridSize?: number
  /**
   * How far each end of the range may shrink. All pairs of steps below it are tried.
   *
   * Unit: share of the range.
   *
   * Default from: the reference.
   * @default 0.5
   */
  readonly maxShrink?: number
  /**
   * Format that errors are rounded to before they are compared.
   *
   * Left out: f32, or bf16 under `compat` reference: docs/quirks.md#quirk-5.
   */
  readonly arithmetic?: "f32" | "bf16"
  /** Rules of the stage that trains afterwards: the search takes bits and groups from their quantizers. */
  readonly quantizers: readonly RuleInput[]
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
}

export interface RoundLanguageOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /** Rules that give the decoder's Linears their quantizers; the first that matches decides. */
  readonly quantizers: readonly RuleInput[]
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
}

export interface AdaRoundLanguageOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Records that layers are fitted on: `{ meta, ... }` as in training, with their images. Or text: JSONL with
   * `text` or `conversations`, or paragraphs.
   */
  readonly calibration: string | DataOptions
  /**
   * Records, or documents of the text, that are used; fewer where there are fewer. More cost memory, disk and
   * time.
   *
   * Unit: documents.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 1024
   */
  readonly documents?: number
  /**
   * Documents of text with more tokens are passed over. Records are not.
   *
   * Unit: tokens.
   *
   * Default from: the clipping search.
   * @default 512
   */
  readonly longest?: number
  /**
   * Text is joined and cut into sequences of this length; a record is a sequence of its own.
   *
   * Unit: tokens.
   *
   * Default from: the clipping search.
   * @default 1024
   */
  readonly block?: number
  /**
   * Rules that give the decoder's Linears their quantizers; the first that matches decides. `bilevel` and
   * `uniform` can be fitted.
   */
  readonly quantizers: readonly RuleInput[]
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
  /**
   * Iterations for each block. 0 rounds to nearest.
   *
   * Unit: iterations.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 20000
   */
  readonly iterations?: number
  /**
   * Records of one iteration.
   *
   * Unit: records.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 32
   */
  readonly batch?: number
  /**
   * Adam's learning rate for the rounding variables. Raise it when `iterations` is small.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.001
   */
  readonly learningRate?: number
  /**
   * Weight of the term that pushes every rounding to 0 or 1.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.01
   */
  readonly lambda?: number
  /**
   * Share of the iterations in which the rounding term of `lambda` is left out.
   *
   * Unit: share of the iterations.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 0.2
   */
  readonly warmup?: number
  /**
   * First exponent of the rounding term: a large one leaves undecided roundings alone.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 20
   */
  readonly betaStart?: number
  /**
   * Last exponent of the rounding term, reached linearly: a small one decides every rounding.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default 2
   */
  readonly betaEnd?: number
  /**
   * Inputs that a block is fitted on: those of the `asymmetric` model, whose earlier blocks are quantized already,
   * or those of the full-precision model.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default "asymmetric"
   */
  readonly inputs?: "asymmetric" | "full-precision"
  /**
   * What becomes of a block whose error AdaRound left larger than rounding to nearest does: it is rounded to
   * `nearest`, with a warning; `keep` does not look.
   *
   * Default from: docs/quirks.md#quirk-25.
   * @default "nearest"
   */
  readonly worse?: "nearest" | "keep"
  /**
   * Memory for cached activations; what does not fit goes to files of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
}

export interface BlockwiseOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /**
   * Records that layers are fitted on: `{ meta, ... }` as in training, with their images. Or text: JSONL with
   * `text` or `conversations`, or paragraphs.
   */
  readonly calibration: string | DataOptions
  /**
   * Records, or documents of the text, that are used; fewer where there are fewer. More cost memory, disk and
   * time.
   *
   * Unit: documents.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 4096
   */
  readonly documents?: number
  /**
   * Documents of text with more tokens are passed over. Records are not.
   *
   * Unit: tokens.
   *
   * Default from: the clipping search.
   * @default 512
   */
  readonly longest?: number
  /**
   * Text is joined and cut into sequences of this length; a record is a sequence of its own.
   *
   * Unit: tokens.
   *
   * Default from: the clipping search.
   * @default 1024
   */
  readonly block?: number
  /**
   * Rules that give the decoder's Linears their quantizers; the first that matches decides. `bilevel` and
   * `uniform` can be fitted.
   */
  readonly quantizers: readonly RuleInput[]
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
  /**
   * Passes over the records, for each layer.
   *
   * Unit: epochs.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 2
   */
  readonly epochs?: number
  /**
   * Records of one iteration.
   *
   * Unit: records.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 2
   */
  readonly batch?: number
  /**
   * Adam's rate for the weights, at the beginning of each layer; it falls to a twentieth. Small models need a
   * larger one.
   *
   * Left out: 2e-5 at 2 bits and 1e-5 at more, as EfficientQAT (arXiv:2407.11062).
   */
  readonly learningRate?: number
  /**
   * Scales and zero points of the groups `follow` the weights, or are `learned` beside them.
   *
   * Left out: learned with `uniform`, as EfficientQAT (arXiv:2407.11062); follow with `bilevel`, whose groups
   * share what is stored of their scales.
   */
  readonly grids?: "follow" | "learned"
  /**
   * Adam's rate for scales and zero points, where they are learned.
   *
   * Default from: EfficientQAT (arXiv:2407.11062).
   * @default 0.0001
   */
  readonly gridRate?: number
  /**
   * Inputs that a block is fitted on: those of the `asymmetric` model, whose earlier blocks are quantized already,
   * or those of the full-precision model.
   *
   * Default from: BRECQ (arXiv:2102.05426).
   * @default "asymmetric"
   */
  readonly inputs?: "asymmetric" | "full-precision"
  /**
   * What becomes of a block whose error Block-AP left larger than rounding to nearest does: it is rounded to
   * `nearest`, with a warning; `keep` does not look.
   *
   * Default from: docs/quirks.md#quirk-25.
   * @default "nearest"
   */
  readonly worse?: "nearest" | "keep"
  /**
   * Memory for cached activations; what does not fit goes to files of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
}

export interface GptqOptions {
  /**
   * What options that a recipe leaves open mean: `careful` does what the method intends, `reference` repeats the
   * reference quirk by quirk.
   *
   * Default from: the recipe's own `compat`, or else careful: docs/quirks.md.
   * @default "careful"
   */
  readonly compat?: "careful" | "reference"
  /** Records of images and text that the model is shown, as in training. They are taken in a seeded order. */
  readonly calibration: DataOptions
  /**
   * Records that are used. More cost memory and time.
   *
   * Unit: records.
   *
   * Default from: GPTQ (arXiv:2210.17323) and AWQ (arXiv:2306.00978), which take 128 segments of text.
   * @default 128
   */
  readonly samples?: number
  /**
   * How tokens count when the error of a decoder layer's output is measured: all alike, or `balanced`: tokens of
   * pictures and of text by how much the full-precision model's cross entropy depends on each, which costs a
   * forward and a backward pass of every record.
   *
   * Left out: equal, as in GPTQ and AWQ; balanced is after MBQ (arXiv:2412.19509).
   */
  readonly modalities?: "equal" | "balanced"
  /**
   * Quantizer of token embedding and output head, which are frozen from stage 2 on. `null` leaves both in full
   * precision. Name the same in every stage of a recipe.
   *
   * Default from: docs/quirks.md#quirk-3.
   * @default {"use":"embedding-sym4"}
   */
  readonly embeddings?: ChoiceInput | null
  /**
   * Memory for tiles before a vision block; what does not fit goes to a file of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
  /**
   * Rules that give the Linears of vision tower and decoder their quantizers; the first that matches decides. Name
   * a `tower` to leave the other as it is. GPTQ works with `bilevel` and `uniform`.
   */
  readonly quantizers: readonly RuleInput[]
  /**
   * Lets the rules decide about the projector's Linears too.
   *
   * Left out: off, as in training.
   */
  readonly quantizeProjector?: boolean
  /**
   * What is added to the diagonal of a Hessian, as a share of its mean, so that it can be inverted.
   *
   * Unit: share of the mean diagonal.
   *
   * Default from: GPTQ (arXiv:2210.17323).
   * @default 0.01
   */
  readonly damping?: number
  /**
   * Rounds the columns with the largest inputs first, while there are most others to make up for them.
   *
   * Default from: on: better at 2 and 3 bits; an option of its published code, IST-DASLab/gptq.
   * @default true
   */
  readonly actOrder?: boolean
  /**
   * Finds the grids of all groups on the original weight. Off: each on the weight as it is when its turn comes,
   * which works with `uniform` alone and without `actOrder`.
   *
   * Default from: on: what every quantizer and `actOrder` need; an option of its published code, IST-DASLab/gptq.
   * @default true
   */
  readonly staticGroups?: boolean
}

export interface AwqOptions extends RoundLanguageOptions {
  /** Records of images and text that the model is shown, as in training. They are taken in a seeded order. */
  readonly calibration: DataOptions
  /**
   * Records that are used. More cost memory and time.
   *
   * Unit: records.
   *
   * Default from: GPTQ (arXiv:2210.17323) and AWQ (arXiv:2306.00978), which take 128 segments of text.
   * @default 128
   */
  readonly samples?: number
  /**
   * How tokens count when the error of a decoder layer's output is measured: all alike, or `balanced`: tokens of
   * pictures and of text by how much the full-precision model's cross entropy depends on each, which costs a
   * forward and a backward pass of every record.
   *
   * Left out: equal, as in GPTQ and AWQ; balanced is after MBQ (arXiv:2412.19509).
   */
  readonly modalities?: "equal" | "balanced"
  /**
   * Memory for tiles before a vision block; what does not fit goes to a file of the stage's directory.
   *
   * Unit: bytes, as in 512 MiB.
   *
   * Default from: chosen here for a laptop; results do not depend on it.
   *
   * May be changed while a run goes on.
   * @default "2 GiB"
   */
  readonly cache?: string
  /**
   * Exponents that are tried for the scales of each group of Linears: 0, 1 / steps, and so on, below 1.
   *
   * Unit: exponents.
   *
   * Default from: AWQ's published code, mit-han-lab/llm-awq.
   * @default 20
   */
  readonly steps?: number
  /**
   * Searches a clipping range for each group of weights, but of queries and keys, after the scales.
   *
   * Default from: AWQ's published code, mit-han-lab/llm-awq.
   * @default true
   */
  readonly clip?: boolean
  /**
   * Steps that the way from the largest magnitude to 0 is cut into; `maxShrink` says how many are tried.
   *
   * Unit: steps.
   *
   * Default from: AWQ's published code, mit-han-lab/llm-awq.
   * @default 20
   */
  readonly gridSize?: number
  /**
   * How far the largest magnitude of a group may shrink.
   *
   * Unit: share of the magnitude.
   *
   * Default from: AWQ's published code, mit-han-lab/llm-awq.
   * @default 0.5
   */
  readonly maxShrink?: number
}

export interface QatOptions extends TrainingStageOptions {
  /** Rules that give the decoder's Linears their quantizers; the first that matches decides. */
  readonly quantizers: readonly RuleInput[]
  /**
   * Lets the rules decide about the projector's Linears too, which learn under fake quantization then.
   *
   * Left out: off: the reference's scripts, `quant_mlp`.
   */
  readonly quantizeProjector?: boolean
  /**
   * Weights that training starts from: those of the `model`, clipped where ranges were searched for, or those that
   * a stage before has `quantized`, such as gptq, as they are.
   *
   * Left out: model: arXiv:2511.08914 §3.
   */
  readonly start?: "model" | "quantized"
  /**
   * Scales and zero points of the Linears' groups: they `follow` the weights in every step, or are `learned`
   * beside them, as a factor of the scale and a shift of the zero point that each group has. Needs `bilevel` or
   * `uniform`.
   *
   * Default from: arXiv:2511.08914 §3.
   * @default "follow"
   */
  readonly grids?: "follow" | "learned"
  /**
   * Learning rate of factors and shifts of `grids` learned, as a factor of `learningRate`. They begin at 1 and 0,
   * where weights are hundredths: they move less than weights do, as they are counted.
   *
   * Left out: 1: chosen here.
   */
  readonly gridRate?: number
  /**
   * Where the matrices of the teacher's decoder layers, and its embedding, are while it does not use them: in
   * `memory`, or in its `file` alone, from which every micro-batch reads them. Less memory, by 2 bytes a
   * parameter; reading costs little where the system has memory left to keep the file in.
   *
   * Default from: memory; results are the same.
   *
   * May be changed while a run goes on.
   * @default "memory"
   */
  readonly teacherWeights?: "memory" | "file"
  /**
   * Parts that are trained besides the language model's own layers.
   *
   * Left out: the projector alone.
   */
  readonly train?: {
    /**
     * Trains the projector; otherwise it stays as stage 2 left it.
     *
     * Default from: the reference's scripts, `freeze_mlp`.
     * @default true
     */
    readonly projector?: boolean
    /**
     * Trains the output head, under fake quantization where `embeddings` quantizes it; otherwise it is quantized
     * once and stays. A head that is the embedding is refused where `embeddings` quantizes that.
     *
     * Default from: the reference's scripts, `unfreeze_lm_head`.
     * @default false
     */
    readonly head?: boolean
    /**
     * Last blocks of the vision tower that are trained. Their Linears learn under fake quantization by the
     * quantizers that stage 1 used, starting from its result.
     *
     * Unit: blocks.
     *
     * Default from: the reference's scripts, `unfreeze_vit_layers`.
     * @default 0
     */
    readonly visionLayers?: number
  }
  /**
   * The losses: which, how strong, over which tokens.
   * @default {}
   */
  readonly loss?: LossOptions
}

export interface JointQatOptions extends TrainingStageOptions {
  /** Rules that give the vision tower's and the decoder's Linears their quantizers; the first that matches decides. */
  readonly quantizers: readonly RuleInput[]
  /**
   * Lets the rules decide about the projector's Linears too, which learn under fake quantization then.
   *
   * Left out: off: the reference's scripts, `quant_mlp`.
   */
  readonly quantizeProjector?: boolean
  /**
   * Weights that training starts from: those of the `model`, clipped where ranges were searched for, or those that
   * a stage before has `quantized`, such as gptq, as they are.
   *
   * Left out: model: arXiv:2511.08914 §3.
   */
  readonly start?: "model" | "quantized"
  /**
   * Scales and zero points of the Linears' groups: they `follow` the weights in every step, or are `learned`
   * beside them, as a factor of the scale and a shift of the zero point that each group has. Needs `bilevel` or
   * `uniform`.
   *
   * Default from: arXiv:2511.08914 §3.
   * @default "follow"
   */
  readonly grids?: "follow" | "learned"
  /**
   * Learning rate of factors and shifts of `grids` learned, as a factor of `learningRate`. They begin at 1 and 0,
   * where weights are hundredths: they move less than weights do, as they are counted.
   *
   * Left out: 1: chosen here.
   */
  readonly gridRate?: number
  /**
   * Where the matrices of the teacher's decoder layers, and its embedding, are while it does not use them: in
   * `memory`, or in its `file` alone, from which every micro-batch reads them. Less memory, by 2 bytes a
   * parameter; reading costs little where the system has memory left to keep the file in.
   *
   * Default from: memory; results are the same.
   *
   * May be changed while a run goes on.
   * @default "memory"
   */
  readonly teacherWeights?: "memory" | "file"
  /**
   * Parts that are trained besides the tower's Linears and the language model's own layers.
   *
   * Left out: the projector alone.
   */
  readonly train?: {
    /**
     * Trains the projector; otherwise it stays as stage 2 left it.
     *
     * Default from: the reference's scripts, `freeze_mlp`.
     * @default true
     */
    readonly projector?: boolean
    /**
     * Trains the output head, under fake quantization where `embeddings` quantizes it; otherwise it is quantized
     * once and stays. A head that is the embedding is refused where `embeddings` quantizes that.
     *
     * Default from: the reference's scripts, `unfreeze_lm_head`.
     * @default false
     */
    readonly head?: boolean
  }
  /**
   * The losses: which, how strong, over which tokens.
   * @default {}
   */
  readonly loss?: LossOptions
}

export interface ExportOptions {
  /**
   * Format to write: `fake-quant`, `packed`, `hf`, `original`, `quant-details`, `gptq`, `compressed-tensors`,
   * `awq`, `onnx`, `gguf`, or one of an extension.
   */
  readonly format:
    | "fake-quant"
    | "packed"
    | "hf"
    | "original"
    | "quant-details"
    | "gptq"
    | "compressed-tensors"
    | "awq"
    | "onnx"
    | "gguf"
    | (string & Record<never, never>)
  /** Options of the format, for example `{ "dtype": "f32" }` of `fake-quant`. */
  readonly with?: { readonly [name: string]: Json }
  /**
   * Format of all numbers that are not quantized: norms, biases, the projector.
   *
   * Default from: released InternVL3 models.
   * @default "bf16"
   */
  readonly rest?: "bf16" | "f16" | "f32"
}

export interface EvaluateOptions {
  /** Name of this evaluation in tables and reports. */
  readonly title: string
  /** Benchmarks that the model answers. */
  readonly benchmarks: readonly [BenchmarkOptions, ...BenchmarkOptions[]]
  /**
   * Rows that are answered together: faster on a small model, the answers stay the same. A step of the stage is as
   * many rows.
   *
   * Unit: rows.
   *
   * Default from: chosen here: the least memory.
   * @default 1
   */
  readonly batch?: number
  /**
   * Pictures with more pixels are refused: they are more likely an attack than a picture. So are rows whose
   * pictures have more together.
   *
   * Unit: pixels.
   *
   * Left out: 178956970, Pillow's limit.
   */
  readonly maxPixels?: number
  /**
   * What pictures of a benchmark's file go through before the model sees them: nothing (`lossless`), or the JPEG
   * of quality 75 (`jpeg75`) that VLMEvalKit stored single pictures as until February 2026.
   *
   * Left out: lossless: docs/quirks.md#quirk-24.
   */
  readonly imageStore?: "lossless" | "jpeg75"
  /**
   * Rows of each benchmark, spread evenly over it, on whose expected answers the divergence from the
   * full-precision model is measured. 0 measures none.
   *
   * Unit: rows.
   *
   * Default from: off: it runs the full-precision model too.
   * @default 0
   */
  readonly divergence?: number
  /**
   * Rules for weights that no stage has quantized yet: their quantizers round them to nearest. Other weights stay
   * in full precision.
   *
   * Default from: none: evaluates what the stages before have made.
   * @default []
   */
  readonly nearest?: readonly RuleInput[]
  /**
   * Clips weights that `nearest` rounds to the ranges that the clipping search found. Its quantizers must have the
   * same groups.
   *
   * Default from: off: `nearest` alone is the usual baseline.
   * @default false
   */
  readonly clipped?: boolean
  /**
   * Format of all numbers that are not quantized: norms, biases, the projector.
   *
   * Default from: released InternVL3 models.
   * @default "bf16"
   */
  readonly rest?: "bf16" | "f16" | "f32"
  /**
   * Adds sample answers of all evaluations so far to the report, with their images.
   *
   * Default from: off: images make the report large.
   * @default false
   */
  readonly gallery?: boolean
}
