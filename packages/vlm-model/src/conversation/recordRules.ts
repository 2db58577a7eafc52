/** What of a record must fit before anything that it shows is opened: its text, what it shows, the marks of that, its turns. */
import * as Result from "effect/Result"
import { controlTokenIn, controlTokens } from "../tokenizer/controlTokens.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { type ConversationRecord, type Shown, shownBy } from "./ConversationRecord.ts"
import type { DataQuirks } from "./DataQuirks.ts"
import { turnsFault } from "./encodeConversation.ts"
import { type MarkedTurns, markedTurns } from "./markedTurns.ts"
import { type Refusal, refusal } from "./Refusal.ts"

/** A record that keeps to the rules. */
interface RuledRecord {
  readonly shown: Shown
  readonly marked: MarkedTurns
}

/** How records are judged: by the switches of a stage, with the control tokens of a tokenizer; without one, not by those. */
export interface RecordRules {
  readonly quirks: DataQuirks
  readonly tokenizer: Tokenizer | undefined
}

/** Judges records, each on its own. A refusal names the fault; what is wrong with files shows when they are opened. */
export const recordRules = ({
  quirks,
  tokenizer
}: RecordRules): ((record: ConversationRecord) => Result.Result<RuledRecord, Refusal>) => {
  const control = tokenizer === undefined || quirks.controlTokensInText ? new Set<string>() : controlTokens(tokenizer)
  return (record) =>
    Result.gen(function* () {
      const spelled = tokenizer && control.size > 0 ? spelledToken(record, tokenizer, control) : undefined
      if (spelled !== undefined) return yield* Result.fail(refusal("control token")(spelled))
      const shown = yield* Result.mapError(shownBy(record, quirks), refusal("what it shows"))
      const turns = markedTurns(record.conversations, shown, quirks)
      const marked = yield* Result.mapError(turns, refusal("placeholders"))
      const fault = turnsFault(marked.turns, imagesOf(shown))
      return fault === undefined ? { shown, marked } : yield* Result.fail(refusal("turns")(fault))
    })
}

/** Whether the model says anything that can be learned. */
export const hasAnswer = ({ conversations }: ConversationRecord): boolean =>
  conversations.some(({ from }) => from === "gpt")

/** Pictures that a conversation must have a place for; those of a video are placed together. */
const imagesOf = (shown: Shown): number =>
  shown.kind === "images" ? shown.paths.length : shown.kind === "image" ? 1 : 0

/** Says which turn spells a control token out: as that token it would end a turn, or stand for a picture. */
const spelledToken = (
  { conversations }: ConversationRecord,
  tokenizer: Tokenizer,
  control: ReadonlySet<string>
): string | undefined => {
  for (const [index, { value }] of conversations.entries()) {
    const token = controlTokenIn(value, tokenizer, control)
    if (token !== undefined)
      return `turn ${index + 1} spells out ${token}, a control token; take it out or write it otherwise`
  }
  return undefined
}
