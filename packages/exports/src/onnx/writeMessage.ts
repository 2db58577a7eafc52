/** Writes a protobuf message, large pieces one at a time. */
import { AtomicFile, appendPieces, type FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { type Bytes, isLate, type LateBytes, type Message } from "./protobuf/Message.ts"

/** Appends late bytes, which must be as many as the message states. */
const appendLate = Effect.fnUntraced(function* (file: AtomicFile.AtomicFile, { byteLength, make }: LateBytes) {
  const pieces = yield* Effect.tryPromise({ try: make, catch: (error) => error as Error })
  const given = yield* appendPieces(file, pieces, byteLength)
  if (given === byteLength) return
  return yield* Effect.fail(new Error(`${given} bytes were made, ${byteLength} were stated`))
})

/** Small pieces joined, up to the next late one: a file has thousands of them. */
function* joined(message: Message): Generator<Bytes> {
  let small: Uint8Array[] = []
  for (const bytes of message) {
    if (!isLate(bytes)) {
      small.push(bytes)
      continue
    }
    yield Buffer.concat(small)
    small = []
    yield bytes
  }
  yield Buffer.concat(small)
}

/** Writes the message as a file. Fails with what making bytes raises, too. */
export const writeMessage: (path: string, message: Message) => Effect.Effect<AtomicFile.Written, FileFailed | Error> =
  Effect.fnUntraced(function* (path, message) {
    const file = yield* AtomicFile.make(path)
    for (const bytes of joined(message)) {
      yield* isLate(bytes) ? appendLate(file, bytes) : file.append(bytes)
    }
    const written = yield* file.seal
    yield* file.publish
    return written
  }, Effect.scoped)
