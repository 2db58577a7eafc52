/**
 * Writes FEATURES.md from the registries: kernels and the backends that run them, quantizers, losses, stages, export
 * formats and what they hold, benchmarks.
 *   node --import tsx -C @speedq/source scripts/features/main.ts [--check]
 * With --check nothing is written; exit 1 when the file is out of date.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { losses } from "@speedq/distillation"
import { benchmarks } from "@speedq/evaluation"
import { exporters } from "@speedq/exports"
import { quantizers } from "@speedq/quantizers"
import { stages } from "@speedq/stages"
import { gpujsModes, kernels } from "@speedq/tensors"
import { holdingsTable } from "./holdings.ts"

const file = "FEATURES.md"
const mark = (present: boolean): string => (present ? "yes" : "no")
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const [head, ...holdings] = holdingsTable()

const page = [
  "# What there is",
  "",
  "Written by `npm run features` from the registries in the code.",
  "",
  "## Kernels",
  "",
  table(
    ["kernel", "operands", "gradient", "reference", "gpujs", "WGSL of its own", "native"],
    kernels.map(({ name, inputs, gradient, gpujs, webgpu, native }) => [
      name,
      Object.entries(inputs)
        .map(([operand, spec]) => `${operand}${spec.optional ? "?" : ""}${spec.updated ? " (updated)" : ""}`)
        .join(", "),
      mark(gradient !== undefined),
      "yes",
      mark(gpujs !== undefined),
      mark(webgpu !== undefined),
      mark(native !== undefined)
    ])
  ),
  "",
  "A kernel without gradient is a gradient itself, updates in place, or gives whole numbers.",
  "",
  `Modes of \`gpujs\`: ${gpujsModes.map((mode) => `\`${mode}\``).join(", ")}. What has WGSL of its own runs by it in those of \`webgpu\`.`,
  "",
  "## Quantizers",
  "",
  table(
    ["quantizer", "version", "AdaRound can choose its codes"],
    quantizers.map(({ id, version, grid }) => [id, version, mark(grid !== undefined)])
  ),
  "",
  "## Losses",
  "",
  table(
    ["loss", "version", "about"],
    losses.map(({ id, version, description }) => [id, version, description])
  ),
  "",
  "## Stages",
  "",
  table(
    ["stage", "gives"],
    stages.map(({ name, gives }) => [name, gives.map((artefact) => artefact.description).join("; ")])
  ),
  "",
  "## Export formats",
  "",
  table(
    ["format", "version", "about"],
    exporters.map(({ id, version, description }) => [id, version, description])
  ),
  "",
  "### Which quantizers they hold",
  "",
  "How a weight loads that an export of a format has, with the format's default options. *exact*: codes that stand for the same numbers. *near*: codes, and a number differs by at most that share of itself. *lossy*: the error is a share of the largest weight of a group, not of each. *as numbers*: dequantized; with `dtype` f32, where the format has that option, these are exact, too. Formats that hold Linears alone have embedding and head as numbers. What an export really changed is in its certificate.",
  "",
  table(head!, holdings),
  "",
  "## Benchmarks",
  "",
  table(
    ["benchmark", "about"],
    benchmarks.map(({ name, about }) => [name, about])
  ),
  ""
].join("\n")

const current = (() => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
})()
if (!process.argv.includes("--check")) writeFileSync(file, page)
else if (current !== page) {
  console.error(`${file} is out of date: run npm run features`)
  process.exitCode = 1
}
