/** Where a sink prints: standard error of the process, or a text for tests. */
import { printable } from "@speedq/formats"

export interface Output {
  readonly write: (text: string) => void
  readonly isTerminal: boolean
  /** Width of the terminal in characters; asked for each line, since windows are resized. */
  readonly columns: () => number
}

/** Standard error: standard output stays free for results. */
export const standardError: Output = {
  write: (text) => void process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  columns: () => process.stderr.columns ?? 80
}

/** `02-qat: text`, warnings marked, for a terminal. */
export const formatLine = (stage: string | undefined, warning: boolean, text: string): string =>
  printable(`${warning ? "warning: " : ""}${stage === undefined ? "" : `${stage}: `}${text}`)
