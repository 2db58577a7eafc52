/** The person of a conversation: lines of standard input, answers on standard output, the rest on standard error. */
import { createInterface } from "node:readline"
import type { Preparing } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Shown } from "../models/ask.ts"
import type { Person } from "../models/converse.ts"
import { clearStatus, editorStream, printPiece, remark, status } from "./output.ts"

/** What is waited for before the first token: pictures through the vision tower, then the prompt through the decoder. */
const preparingText = ({ tiles, of, tokens }: Preparing): string =>
  tiles < of ? `looking at tile ${tiles + 1} of ${of}` : `reading ${tokens} tokens`

/** Answers on standard output; on a terminal with what is waited for. */
export const shownHere: Shown = {
  piece: (text) => Effect.andThen(clearStatus, printPiece(text)),
  preparing: (progress) => status(preparingText(progress))
}

/** Opens standard input for the life of the scope. Ctrl-C stops an answer, and ends the conversation where none is given. */
export const openPerson = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const terminal = process.stdin.isTTY === true
      const reader = createInterface({ input: process.stdin, output: editorStream(), terminal, prompt: "> " })
      // Made at once: lines that come before it are lost.
      const typed = reader[Symbol.asyncIterator]()
      let stop: (() => void) | undefined
      reader.on("SIGINT", () => (stop ? stop() : reader.close()))
      const stops = Effect.callback<void>((resume) => {
        stop = () => resume(Effect.void)
        return Effect.sync(() => {
          stop = undefined
        })
      })
      return { reader, terminal, stops, lines: Stream.orDie(Stream.fromAsyncIterable(typed, (error) => error)) }
    }),
    ({ reader }) => Effect.sync(() => reader.close())
  ),
  ({ reader, terminal, stops, lines }): Person => ({
    ...shownHere,
    watches: terminal,
    lines,
    stops,
    remark: (text) => Effect.andThen(clearStatus, remark(text)),
    wait: Effect.sync(() => terminal && reader.prompt())
  })
)
