/** Lines at the bottom of a terminal that are drawn again in place, while others are printed above them. */
import type { Output } from "./Output.ts"

interface LiveLines {
  /** Draws lines in the place of those that were drawn before. None of them may be wider than the terminal. */
  readonly draw: (lines: ReadonlyArray<string>) => void
  /** Erases them: what is printed next begins where they began. */
  readonly erase: () => void
}

const toFirstColumn = "\r"
const up = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}A`)
const eraseDown = "\u001b[J"

/** What erases the lines that stand on the terminal now. */
const standing = new Set<() => void>()

/** Erases all lines that are drawn: whoever prints without them, such as the answer to a signal, calls this first. */
export const eraseLiveLines = (): void => {
  for (const erase of standing) erase()
}

export const liveLines = (output: Output): LiveLines => {
  let drawn = 0
  const cleared = () => (drawn === 0 ? "" : `${toFirstColumn}${up(drawn - 1)}${eraseDown}`)
  const erase = () => {
    if (drawn > 0) output.write(cleared())
    drawn = 0
    standing.delete(erase)
  }
  return {
    erase,
    draw: (lines) => {
      output.write(`${cleared()}${lines.join("\n")}`)
      drawn = lines.length
      standing.add(erase)
    }
  }
}
