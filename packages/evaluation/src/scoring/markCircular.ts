/** Circular evaluation: a question counts when the model is right under every rotation of its options. */
import { type AnsweredRow, UnscorableRow } from "../benchmarks/Benchmark.ts"
import type { Row } from "../data/Row.ts"
import { inferOption, type Matcher } from "../matching/inferOption.ts"
import { accuracy, type Marks, summarize } from "./Marks.ts"
import { statedChoice } from "./markChoices.ts"

const rotation = 1_000_000n

const whole = (row: Row, column: string, text: string): bigint => {
  if (!/^-?\d+$/.test(text)) {
    throw new UnscorableRow(row, column, `"${text}" is not a whole number, which groups the rotations of a question`)
  }
  return BigInt(text)
}

/** The index of the unrotated question: column `g_index`, else index modulo 1,000,000. */
const groupOf = (row: Row): bigint => {
  const stated = row.cells.get("g_index")
  return stated === undefined
    ? whole(row, "index", row.index) % rotation
    : whole(row, "g_index", stated.replace(/\.0$/, ""))
}

/**
 * One mark per unrotated row that is answered, over the answered rows of its group (rotations that are not there are not
 * asked for). A rotation from which no option can be inferred is wrong, as without a judge.
 */
export const markCircular = (rows: readonly AnsweredRow[], matcher: Matcher): Marks => {
  const rotations = rows.map(({ row, prediction }) => {
    const { options, expected } = statedChoice(row)
    const index = whole(row, "index", row.index)
    return {
      row,
      prediction,
      index,
      group: groupOf(row),
      expected,
      extracted: inferOption(prediction, options, matcher)
    }
  })
  const groups = new Map<bigint, typeof rotations>()
  for (const member of rotations) groups.set(member.group, [...(groups.get(member.group) ?? []), member])
  const marks = rotations
    .filter(({ index, group }) => index === group)
    .map((main) => {
      const members = groups.get(main.group)!.toSorted((a, b) => (a.index < b.index ? -1 : 1))
      return {
        row: main.row,
        prediction: main.prediction,
        extracted: members.map(({ extracted }) => extracted ?? "?").join(","),
        expected: members.map(({ expected }) => expected).join(","),
        hit: members.every(({ extracted, expected }) => extracted === expected)
      }
    })
  return summarize(marks, accuracy)
}
