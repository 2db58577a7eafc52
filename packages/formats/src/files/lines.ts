/** Text out of pieces of bytes: line by line, or as a whole, with a limit to what is in memory at once. */
import { FileFailed } from "../Errors.ts"
import { mostBytes, overLimit } from "./outsideFile.ts"

const newline = 0x0a

const joined = (pieces: ReadonlyArray<Uint8Array>): string => new TextDecoder().decode(Buffer.concat(pieces))

const tooLarge = (file: string, what: string, most: number): FileFailed =>
  new FileFailed({
    file,
    operation: "read",
    code: overLimit,
    reason: `${what} more than the ${most} bytes that are read`
  })

/**
 * The lines of a file, without their ends, out of its pieces; text behind the last end is one, too. Throws FileFailed for a line of
 * more than `most` bytes, and what the pieces throw.
 */
export async function* linesOf(
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  most: number = mostBytes.document
): AsyncGenerator<string> {
  let begun: Array<Uint8Array> = []
  let bytes = 0
  let lines = 0
  const add = (piece: Uint8Array) => {
    bytes += piece.length
    if (bytes > most) throw tooLarge(file, `line ${lines + 1} has`, most)
    begun.push(piece)
  }
  for await (const piece of pieces) {
    let from = 0
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, from)) {
      add(piece.subarray(from, end))
      yield joined(begun).replace(/\r$/, "")
      lines++
      begun = []
      bytes = 0
      from = end + 1
    }
    add(piece.subarray(from))
  }
  yield joined(begun)
}

/** All of a file's text out of its pieces. Throws FileFailed where it has more than `most` bytes, and what the pieces throw. */
export const textOf = async (
  file: string,
  pieces: AsyncIterable<Uint8Array>,
  most: number = mostBytes.text
): Promise<string> => {
  const read: Array<Uint8Array> = []
  let bytes = 0
  for await (const piece of pieces) {
    bytes += piece.length
    if (bytes > most) throw tooLarge(file, "it has", most)
    read.push(piece)
  }
  return joined(read)
}
