/** What can go wrong in block reconstruction. */

abstract class AdaRoundError extends Error {
  abstract readonly _tag: string
  override get name(): string {
    return this._tag
  }
}

/** The spill file of cached activations cannot be used. */
export class CacheFailed extends AdaRoundError {
  readonly _tag = "CacheFailed"
  readonly file: string
  constructor(details: { file: string; operation: "open" | "read" | "write"; reason: string; bytes: number }) {
    const { file, operation, reason, bytes } = details
    super(
      `activation cache: cannot ${operation} ${file}, which holds up to ${bytes} bytes: ${reason}; free disk space, choose another directory, or raise the memory budget`
    )
    this.file = file
  }
}

/** The reconstruction loss is NaN or infinite. */
export class NonFiniteReconstruction extends AdaRoundError {
  readonly _tag = "NonFiniteReconstruction"
  readonly block: string
  readonly iteration: number
  readonly loss: number
  constructor(block: string, iteration: number, loss: number) {
    super(
      `${block}: reconstruction loss is ${loss} at iteration ${iteration}; lower the learning rate or check the weights`
    )
    this.block = block
    this.iteration = iteration
    this.loss = loss
  }
}

/** A block has no layer to round. */
export class NothingToRound extends AdaRoundError {
  readonly _tag = "NothingToRound"
  readonly block: string
  constructor(block: string) {
    super(`${block}: there is no layer to round; check the rules of the recipe`)
    this.block = block
  }
}

/** A quantizer that fixes its codes itself cannot be combined with AdaRound. */
export class NoGrid extends AdaRoundError {
  readonly _tag = "NoGrid"
  readonly layer: string
  readonly quantizer: string
  constructor(layer: string, quantizer: string) {
    super(`${layer}: quantizer "${quantizer}" has no grid to round on; use bilevel or uniform`)
    this.layer = layer
    this.quantizer = quantizer
  }
}
