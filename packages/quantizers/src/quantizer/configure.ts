/** A quantizer's options out of what a person wrote: checked strictly, completed by its defaults. */
import * as Schema from "effect/Schema"
import { QuantizerConfigInvalid } from "../Errors.ts"
import type { Quantizer, QuantizerChoice } from "./Quantizer.ts"

/** Everything wrong is reported, a misspelt option is wrong, and the value met is told. */
const strictly = { errors: "all", onExcessProperty: "error", reportInput: true } as const

/** Raises QuantizerConfigInvalid. */
export const configure = <C extends object>(quantizer: Quantizer<C>, options: object): QuantizerChoice<C> => {
  try {
    return { quantizer, config: Schema.decodeUnknownSync(quantizer.Config)(options, strictly), written: options }
  } catch (error) {
    if (!Schema.isSchemaError(error)) throw error
    throw new QuantizerConfigInvalid({ use: quantizer.id, issue: error.message.replaceAll(/\n\s+at/g, " at") })
  }
}
