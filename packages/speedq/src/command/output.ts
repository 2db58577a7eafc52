/** Results go to standard output, everything else to standard error. */
import * as Effect from "effect/Effect"

const write = (stream: NodeJS.WriteStream, text: string) => Effect.sync(() => void stream.write(text))

/** Lines on standard output. */
export const print = (text: string): Effect.Effect<void> => write(process.stdout, `${text}\n`)

/** Text on standard output as it is: a piece of an answer. */
export const printPiece = (text: string): Effect.Effect<void> => write(process.stdout, text)

/** The one document of `--json`. NaN and infinities are null, as JSON has neither. */
export const printJson = (value: unknown): Effect.Effect<void> => print(JSON.stringify(value, undefined, 2))

/** A remark on standard error. */
export const remark = (text: string): Effect.Effect<void> => write(process.stderr, `${text}\n`)
