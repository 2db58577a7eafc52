/** Results go to standard output, everything else to standard error; nothing of either steers the terminal. */
import { printable, printableJson } from "@speedq/formats"
import { hasColors } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { shown } from "./tones.ts"

const write = (stream: NodeJS.WriteStream, text: string) => Effect.sync(() => void stream.write(text))

const writeText = (stream: NodeJS.WriteStream, text: string) => write(stream, `${shown(text, hasColors(stream))}\n`)

/** Lines on standard output. */
export const print = (text: string): Effect.Effect<void> => writeText(process.stdout, text)

/** Lines on a cleared terminal. */
export const printScreen = (text: string): Effect.Effect<void> =>
  Effect.andThen(write(process.stdout, "\u001b[H\u001b[2J"), print(text))

/** Text on standard output without a line end: a piece of an answer. */
export const printPiece = (text: string): Effect.Effect<void> => write(process.stdout, printable(text))

/** The one document of `--json`. NaN and infinities are null, as JSON has neither. */
export const printJson = (value: unknown): Effect.Effect<void> =>
  write(process.stdout, `${printableJson(JSON.stringify(value, undefined, 2))}\n`)

/** A remark on standard error. */
export const remark = (text: string): Effect.Effect<void> => writeText(process.stderr, text)

let hasStatus = false

/** The state of things on standard error, where that is a terminal: one line, which the next one takes the place of. */
export const status = (text: string): void => {
  if (!process.stderr.isTTY) return
  process.stderr.write(`\r\u001b[2K${printable(text)}`)
  hasStatus = text !== ""
}

/** Takes it away, where it is there: the line may have an answer on it by now. */
export const clearStatus: Effect.Effect<void> = Effect.sync(() => hasStatus && status(""))

/** Where a person who types sees the line. */
export const editorStream = (): NodeJS.WriteStream => process.stderr

/** The program's own help, with its colours. */
export const printHelp = (stream: NodeJS.WriteStream, help: string): Effect.Effect<void> => write(stream, `${help}\n`)
