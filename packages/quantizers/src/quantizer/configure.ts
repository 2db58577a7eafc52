/** A quantizer's options out of what a person wrote: checked strictly, completed by its defaults. */
import { decodeOptions } from "@speedq/formats"
import { QuantizerConfigInvalid } from "../Errors.ts"
import type { Quantizer, QuantizerChoice } from "./Quantizer.ts"

/** Raises QuantizerConfigInvalid. */
export const configure = <C extends object>(quantizer: Quantizer<C>, options: object): QuantizerChoice<C> => {
  const refused = (issue: string) => new QuantizerConfigInvalid({ use: quantizer.id, issue })
  return { quantizer, config: decodeOptions(quantizer.Config, options, refused), written: options }
}
