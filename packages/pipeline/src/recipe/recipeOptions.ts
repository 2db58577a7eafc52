/** What a recipe says besides its stages. Written by `npm run options` from the schemas. */

export interface RecipeOptions {
  /** Name of the recipe, for run directories and reports. */
  readonly name: string
  /** Directory of the model to start from. */
  readonly model: string
  /**
   * Parts of the model whose weights come from elsewhere: a file (safetensors, or torch pickles, which are not
   * executed) or a directory with a checkpoint. Config and tokenizer stay those of `model`.
   *
   * Left out: the model's own weights.
   */
  readonly parts?: {
    /** Weights of the vision tower; in the reference `vision_path`. */
    readonly vision?: string
    /** Weights of the projector; in the reference `mlp_path`. */
    readonly projector?: string
    /** Weights of the language model, embedding and head included; in the reference `llm_path`. */
    readonly language?: string
  }
  /**
   * Directory of the full-precision model that training distils from and measures the confidence of, and that
   * evaluations measure the divergence from. Its tokenizer and tiles must be those of the model.
   *
   * Left out: the model itself.
   */
  readonly teacher?: string
  /**
   * Seed of everything that is drawn at random; each stage derives its own from it.
   *
   * Default from: the reference's scripts.
   * @default 42
   */
  readonly seed?: number
  /**
   * `compat` of every stage that has this option and does not set it: `reference` repeats the reference quirk by
   * quirk.
   *
   * Left out: careful: docs/quirks.md.
   */
  readonly compat?: "careful" | "reference"
  /**
   * Arithmetic of matrix products and attention, forward and back, of all stages, or of stages by name as in `{
   * "qat": "bf16" }`: `f32`, or `bf16`, which rounds their factors to bf16 and sums in f32. All else stays f32:
   * weights, norms, softmax, losses, optimizer, fake quantization. `bf16` is refused where nothing multiplies it,
   * `bf16-or-f32` computes in f32 then. A stage in another arithmetic has another key.
   *
   * Left out: f32.
   */
  readonly arithmetic?: "f32" | "bf16" | "bf16-or-f32" | { readonly [name: string]: "f32" | "bf16" | "bf16-or-f32" }
  /**
   * When a running stage saves its state: at whichever of these comes first.
   *
   * May be changed while a run goes on.
   * @default {}
   */
  readonly save?: {
    /**
     * Saves after so many steps.
     *
     * Unit: steps.
     */
    readonly everySteps?: number
    /**
     * Saves after so many seconds.
     *
     * Unit: seconds.
     *
     * Default from: chosen here: a stop without warning costs five minutes at most.
     * @default 300
     */
    readonly everySeconds?: number
  }
  /**
   * A run that would need more memory is refused before it starts.
   *
   * Left out: the machine's memory.
   *
   * May be changed while a run goes on.
   */
  readonly memory?: {
    /**
     * Most memory that a run may take, as in `4 GiB`; of the host, where tensors lie on a GPU.
     *
     * Unit: bytes.
     *
     * Left out: the machine's memory.
     */
    readonly limit?: string
    /**
     * Most memory of a GPU that tensors may take, as in `16 GiB`: for `gpujs:webgpu`, which does not tell how much
     * there is (docs/webgpu.md#memory).
     *
     * Unit: bytes.
     *
     * Left out: what the GPU's driver tells, where it tells it.
     */
    readonly device?: string
  }
  /**
   * How training stages keep what frozen vision towers make of tiles. With a directory, a tile passes a tower once
   * for all epochs, stages and runs that share it (docs/method.md#features-of-frozen-towers).
   *
   * Left out: in the memory of each stage alone: its `featureCache`.
   */
  readonly features?: {
    /**
     * Where features are kept on disk, found by digests of the tower's weights and of the tile's pixels. Runs, and
     * processes at one time, may share it.
     *
     * Left out: nowhere.
     *
     * May be changed while a run goes on.
     */
    readonly directory?: string
    /**
     * Most bytes that features take there; those that were used longest ago make room.
     *
     * Unit: bytes, as in 512 MiB.
     *
     * Default from: chosen here: 5,000 tiles of InternVL3 in f32, 10,000 in bf16.
     *
     * May be changed while a run goes on.
     * @default "20 GiB"
     */
    readonly limit?: string
    /**
     * `f32` keeps features as they are. `bf16` rounds them, which halves their size; training stages see them
     * rounded whether they come from the disk or not, and have another key.
     *
     * Default from: f32, which changes no result.
     * @default "f32"
     */
    readonly numbers?: "f32" | "bf16"
  }
}
