/** Writes a protobuf message, large pieces one at a time. */
import { AtomicFile, type FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { type Bytes, isLate, type LateBytes, type Message } from "./protobuf/Message.ts"

/** Late bytes, checked against the length that the message states. */
const made = async ({ byteLength, make }: LateBytes): Promise<Uint8Array> => {
  const bytes = await make()
  if (bytes.byteLength !== byteLength) throw new Error(`${bytes.byteLength} bytes were made, ${byteLength} were stated`)
  return bytes
}

const late = (bytes: LateBytes) => Effect.tryPromise({ try: () => made(bytes), catch: (error) => error as Error })

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
      yield* file.append(isLate(bytes) ? yield* late(bytes) : bytes)
    }
    const written = yield* file.seal
    yield* file.publish
    return written
  }, Effect.scoped)
