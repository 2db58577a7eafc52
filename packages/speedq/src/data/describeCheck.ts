/** What a check found, as a person reads it. */
import { printableLine } from "@speedq/formats"
import { formatCount } from "@speedq/pipeline"
import type { DataCheck, DatasetCheck, NamedLine, SourceCheck } from "@speedq/stages"
import { type Cell, fittingTable } from "../command/textTable.ts"
import { toned } from "../command/tones.ts"
import type { Checks } from "./checkJson.ts"

/** Lines that are named on a terminal. */
const mostNamed = 20

const recordsTable = (datasets: readonly DatasetCheck[]): string => {
  const columns = ["data set", "lines", "records", "usable", "text only", "one picture", "several", "video", "samples"]
  const rows = datasets.map(({ name, lines, records, usable, shows, samples }): readonly Cell[] => [
    ...[name, lines, records, usable],
    ...[shows.text, shows.image, shows.images, shows.video, samples]
  ])
  return fittingTable(columns, rows)
}

const lengthsTable = (datasets: readonly DatasetCheck[]): string => {
  const columns = ["tokens, tiles", "shortest", "median", "90 %", "longest", "cut", "tiles", "most tiles"]
  const rows = datasets.flatMap(({ name, tokens, cut, tiles }): readonly (readonly Cell[])[] =>
    tokens === null ? [] : [[name, tokens.min, tokens.median, tokens.p90, tokens.max, cut, tiles.total, tiles.max]]
  )
  return rows.length === 0 ? "" : fittingTable(columns, rows)
}

const faultsTable = (datasets: readonly DatasetCheck[]): string => {
  const rows = datasets.flatMap(({ name, faults }) =>
    Object.entries(faults).map(([fault, records]): readonly Cell[] => [name, fault, records])
  )
  return rows.length === 0 ? "" : fittingTable(["data set", "what is wrong", "records"], rows)
}

const isUsed = ({ fault }: NamedLine): boolean => fault === "no answer" || fault === "answer cut off"

/** The first lines, those of records that cannot be used before the others. */
const namedLines = (named: readonly NamedLine[]): readonly string[] => {
  const sorted = [...named.filter((line) => !isUsed(line)), ...named.filter(isUsed)]
  const lines = sorted
    .slice(0, mostNamed)
    .map(({ file, line, fault, reason }) => `  ${file}:${line}: ${fault}: ${printableLine(reason)}`)
  const rest = sorted.length - lines.length
  return rest === 0 ? lines : [...lines, `  and ${formatCount(rest, "more line")}: --out FILE or --json names all`]
}

const verdict = ({ problems, warnings, named }: DataCheck): readonly string[] => {
  const warned = warnings.map((warning) => `${toned("careful", "The stage will warn")}: ${printableLine(warning)}`)
  if (problems.length > 0) {
    return [
      ...warned,
      toned("bad", "It cannot be trained on as it is:"),
      ...problems.map((problem) => `  ${printableLine(problem)}`)
    ]
  }
  const replaced = named.filter((line) => !isUsed(line)).length
  const others = replaced === 0 ? "." : `; other records take the places of ${replaced}.`
  return [...warned, toned("good", `It can be trained on${others}`)]
}

const describe = (check: DataCheck): string => {
  const { stages, data, recipe, decoded, datasets, named } = check
  const { meta, percent, maxLength, maxTiles, onError } = data
  const parts = [
    `${meta}${stages.length === 0 ? "" : `, for ${stages.join(", ")}`}`,
    `model ${recipe.model}, seed ${recipe.seed}, ${percent === 0 ? "all samples" : `percent ${percent}`}, maxLength ${maxLength}, maxTiles ${maxTiles}, onError ${onError}`,
    decoded
      ? "every picture was decoded"
      : "of pictures the headers were read; --decode finds those with damaged pixels, too",
    "",
    recordsTable(datasets),
    "",
    lengthsTable(datasets)
  ]
  const wrong = faultsTable(datasets)
  const found = wrong === "" ? [] : ["", wrong, "", ...namedLines(named)]
  return [...parts, ...found, "", ...verdict(check)].join("\n")
}

const sourceLines = ({ stages, kind, source, used, unit, named, problems }: SourceCheck): string => {
  const amount = used === null ? "" : `: ${used} ${unit}${named.length === 0 ? "" : `, ${named.length} cannot be used`}`
  const each = named.slice(0, mostNamed).map(({ at, reason }) => `  ${printableLine(at)}: ${printableLine(reason)}`)
  const rest =
    named.length > mostNamed ? [`  and ${formatCount(named.length - mostNamed, "more")}: --json names all`] : []
  const ends =
    problems.length === 0
      ? []
      : [toned("bad", "It cannot be used as it is:"), ...problems.map((p) => `  ${printableLine(p)}`)]
  return [`${kind} ${source}, for ${stages.join(", ")}${amount}`, ...each, ...rest, ...ends].join("\n")
}

export const describeChecks = (named: string, { checks, others }: Checks): string =>
  checks.length + others.length === 0
    ? `no stage of ${named} reads data: there is nothing to check`
    : [...(others.length === 0 ? [] : [others.map(sourceLines).join("\n")]), ...checks.map(describe)].join("\n\n")
