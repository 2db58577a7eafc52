/** Every quantizer by its id. A new one is one file and one line here. */
import * as Schema from "effect/Schema"
import { UnknownQuantizer } from "../Errors.ts"
import { bilevelQuantizer } from "../quantizers/bilevel.ts"
import { embeddingSym4Quantizer } from "../quantizers/embeddingSym4.ts"
import { int2AsymQuantizer, int3AsymQuantizer } from "../quantizers/flatAsymmetric.ts"
import { n2f3Quantizer } from "../quantizers/n2f3.ts"
import { noneQuantizer } from "../quantizers/none.ts"
import { uniformQuantizer } from "../quantizers/uniform.ts"
import { configure } from "./configure.ts"
import type { Quantizer, QuantizerChoice } from "./Quantizer.ts"

export const quantizers: readonly Quantizer[] = [
  bilevelQuantizer,
  uniformQuantizer,
  int2AsymQuantizer,
  int3AsymQuantizer,
  n2f3Quantizer,
  embeddingSym4Quantizer,
  noneQuantizer
]

/** A quantizer as recipes in JSON name it: `{ use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }`. */
export interface ChoiceSpec {
  readonly use: string
  readonly with?: object | undefined
}

/** The choice that a recipe means; `known` adds a user's own quantizers. Raises UnknownQuantizer and QuantizerConfigInvalid. */
export const decodeChoice = (
  { use, with: options = {} }: ChoiceSpec,
  known: readonly Quantizer[] = quantizers
): QuantizerChoice => {
  const quantizer = known.find(({ id }) => id === use)
  if (quantizer === undefined) throw new UnknownQuantizer({ use, known: known.map(({ id }) => id) })
  return configure(quantizer, options)
}

/** A choice as files write it down, `readChoice` reads it. */
export const encodeChoice = ({ quantizer: { id, version, plugin, Config }, config }: QuantizerChoice) => ({
  use: id,
  version,
  ...(plugin === undefined ? {} : { plugin }),
  with: Schema.encodeUnknownSync(Config)(config)
})
