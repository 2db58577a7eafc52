/** What a recipe says besides its stages. Written by `npm run options` from the schemas. */

export interface RecipeOptions {
  /** Name of the recipe, for run directories and reports. */
  readonly name: string
  /** Directory of the model to start from. */
  readonly model: string
  /**
   * Seed of everything that is drawn at random; each stage derives its own from it.
   *
   * Default from: the reference's scripts.
   * @default 42
   */
  readonly seed?: number
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
     * Most memory that a run may take, as in `4 GiB`.
     *
     * Unit: bytes.
     */
    readonly limit: string
  }
}
