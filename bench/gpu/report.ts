/** What the parts of the measurement print: one JSON document a line, at once, so that a part that runs out of time loses little. */

export type Row = Readonly<Record<string, unknown>>

/** A part of the measurement, which prints rows. */
export type Part = (print: (row: Row) => void, size: "whole" | "small") => Promise<void>

/** Prints rows of a part as lines. */
export const printer =
  (part: string) =>
  (row: Row): void => {
    process.stdout.write(`${JSON.stringify({ part, ...row })}\n`)
  }
