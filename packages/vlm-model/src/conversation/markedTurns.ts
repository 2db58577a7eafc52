/** Which turn shows what: every `<image>` or `<video>` of a human turn stands for one picture or video of the record. */
import * as Result from "effect/Result"
import type { Shown } from "./ConversationRecord.ts"
import type { DataQuirks } from "./DataQuirks.ts"
import type { Turn } from "./encodeConversation.ts"
import { imagePlaceholder, videoLine, videoPlaceholder } from "./imagePlaceholders.ts"

/** Turns in which everything that is shown has its mark, and the turn of the mark that a single picture or a video has. */
export interface MarkedTurns {
  readonly turns: ReadonlyArray<Turn>
  readonly index: number
}

/**
 * A single picture, or a video, without a mark gets one before the first human turn. Fails with a reason where marks and
 * what is shown do not match: what has no picture would be learned as text, a picture without a mark not at all.
 */
export const markedTurns = (
  turns: ReadonlyArray<Turn>,
  shown: Shown,
  quirks: DataQuirks
): Result.Result<MarkedTurns, string> => {
  const mark = shown.kind === "image" ? imagePlaceholder : shown.kind === "video" ? videoPlaceholder : undefined
  const index = mark === undefined ? -1 : quirks.placeholderInFirstTurn ? 0 : turnOf(turns, mark)
  const marked = turns.map((turn, i) =>
    i !== index || mark === undefined || turn.value.includes(mark) ? turn : { ...turn, value: `${mark}\n${turn.value}` }
  )
  const unmatched = quirks.unmatchedPlaceholders ? undefined : mismatch(marked, shown)
  const wrong = unmatched ?? (shown.kind === "video" ? noPlace(marked[index]) : undefined)
  return wrong === undefined ? Result.succeed({ turns: marked, index }) : Result.fail(wrong)
}

/** The first human turn that has the mark, or else the first human turn. */
const turnOf = (turns: ReadonlyArray<Turn>, mark: string): number => {
  const own = turns.findIndex(({ from, value }) => from === "human" && value.includes(mark))
  return own >= 0 ? own : turns.findIndex(({ from }) => from === "human")
}

/** Why the frames of a video cannot be put into its turn. */
const noPlace = (turn: Turn | undefined): string | undefined =>
  turn?.value.includes(videoLine)
    ? undefined
    : `${videoPlaceholder} must be followed by a line break, or there is no place for the frames`

const speakers = { system: "of the system", human: "of the human", gpt: "of the model" }

const mismatch = (turns: ReadonlyArray<Turn>, shown: Shown): string | undefined => {
  const images = shown.kind === "images" ? shown.paths.length : shown.kind === "image" ? 1 : 0
  const expected = [
    { mark: imagePlaceholder, name: "image", count: images },
    { mark: videoPlaceholder, name: "video", count: shown.kind === "video" ? 1 : 0 }
  ]
  for (const { mark, name, count } of expected) {
    const foreign = turns.findIndex(({ from, value }) => from !== "human" && value.includes(mark))
    if (foreign >= 0) {
      return `turn ${foreign + 1}, ${speakers[turns[foreign]!.from]}, has ${mark}, which only a human turn can show; take it out`
    }
    const found = turns.reduce((sum, { value }) => sum + value.split(mark).length - 1, 0)
    if (found === count) continue
    const said = `the human turns have ${found} ${mark}, but the record has ${count === 0 ? "no" : count} ${name}${count === 1 ? "" : "s"}`
    return `${said}; mark each ${name} once, where it belongs`
  }
  return undefined
}
