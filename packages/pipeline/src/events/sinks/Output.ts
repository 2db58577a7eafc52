/** Where a sink prints: standard error of the process, or a text for tests. */
import { printable } from "@speedq/formats"

export interface Output {
  readonly write: (text: string) => void
  /** Whether lines can be drawn again in place. */
  readonly isTerminal: boolean
  readonly hasColors: boolean
  /** Width of the terminal in characters; asked for each line, since windows are resized. */
  readonly columns: () => number
}

/** Whether lines of a stream can be drawn again in place: a terminal that knows how. */
export const isTerminal = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY === true && process.env["TERM"] !== "dumb"

/** Whether a stream shows colours: a terminal that has them, unless NO_COLOR is set. */
export const hasColors = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && stream.hasColors()

/** Standard error: standard output stays free for results. */
export const standardError: Output = {
  write: (text) => void process.stderr.write(text),
  isTerminal: isTerminal(process.stderr),
  hasColors: hasColors(process.stderr),
  columns: () => process.stderr.columns ?? 80
}

const colors = { red: 31, green: 32, yellow: 33 } as const
type Color = keyof typeof colors

/** Text in a colour. Goes around what is printable already: a colour steers the terminal. */
export const colored = (color: Color, text: string): string => `\u001b[${colors[color]}m${text}\u001b[39m`

/** `02-qat: text`, warnings marked, for a terminal. */
export const formatLine = (stage: string | undefined, warning: boolean, text: string): string =>
  printable(`${warning ? "warning: " : ""}${stage === undefined ? "" : `${stage}: `}${text}`)
