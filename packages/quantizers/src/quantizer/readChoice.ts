/** A choice that a file holds, as `encodeChoice` wrote it: only the quantizer that made the numbers can say what they mean. */
import * as Schema from "effect/Schema"
import { QuantizerMissing, QuantizerVersionDiffers } from "../Errors.ts"
import type { Quantizer, QuantizerChoice } from "./Quantizer.ts"
import { decodeChoice, quantizers } from "./registry.ts"

export const WrittenChoice = Schema.Struct({
  use: Schema.String,
  version: Schema.Number,
  plugin: Schema.optionalKey(Schema.String),
  with: Schema.JsonObject
})
export type WrittenChoice = typeof WrittenChoice.Type

/**
 * The choice of `file`; `known` adds a user's own quantizers. Raises QuantizerMissing, QuantizerVersionDiffers and
 * QuantizerConfigInvalid.
 */
export const readChoice = (
  file: string,
  written: WrittenChoice,
  known: readonly Quantizer[] = quantizers
): QuantizerChoice => {
  const { use, version, plugin } = written
  const origin = plugin === undefined ? {} : { plugin }
  const quantizer = known.find(({ id }) => id === use)
  if (quantizer === undefined)
    throw new QuantizerMissing({ file, use, version, ...origin, known: known.map(({ id }) => id) })
  if (quantizer.version !== version) {
    throw new QuantizerVersionDiffers({ file, use, written: version, known: quantizer.version, ...origin })
  }
  return decodeChoice(written, known)
}

/** Whether reading failed for want of the right quantizer: the file itself is whole. */
export const isForeign = (error: unknown): error is QuantizerMissing | QuantizerVersionDiffers =>
  error instanceof QuantizerMissing || error instanceof QuantizerVersionDiffers
