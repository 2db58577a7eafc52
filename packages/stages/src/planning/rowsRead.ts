/** How many logits a step needs: the head's product and the losses cost time for each row that some loss reads. */
import type { RowLoss } from "@speedq/distillation"
import { ignoredLabel } from "@speedq/tensors"
import type { RecordExtent } from "./dataExtent.ts"

/** Rows that the losses read of a record, taken to have its answers last. */
export const rowsRead = (
  losses: readonly RowLoss[],
  { tokens, answers }: Pick<RecordExtent, "tokens" | "answers">
): number => {
  const values = Int32Array.from({ length: tokens }, (_, at) => (at < tokens - answers ? ignoredLabel : 0))
  return new Set(losses.flatMap((loss) => [...loss.rowWeights({ values, batch: 1, length: tokens }).keys()])).size
}
