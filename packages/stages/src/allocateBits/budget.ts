/** How large quantized weights may be together, as a recipe says it: "2.3 bits" a weight on average, or a size such as "300 MB". */
import * as ByteSize from "effect/ByteSize"
import * as Schema from "effect/Schema"

export const Budget = Schema.String.check(
  Schema.isPattern(/^\d+(\.\d+)? (bits?|([kMG]|[KMG]i)B)$/, { expected: 'a budget such as "2.3 bits" or "300 MB"' })
)

/** Bits that so many weights may take together, scales included. */
export const budgetBits = (budget: typeof Budget.Type, weights: number): number => {
  const [, perWeight] = /^(.+) bits?$/.exec(budget) ?? []
  return perWeight === undefined
    ? 8 * ByteSize.toNumberUnsafe(ByteSize.fromStringUnsafe(budget))
    : Math.ceil(Number(perWeight) * weights)
}
