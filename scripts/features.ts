/**
 * Writes FEATURES.md from the registries: kernels and the backends that run them, quantizers, losses, stages, export
 * formats, benchmarks.
 *   node --import tsx -C @speedq/source scripts/features.ts [--check]
 * With --check nothing is written; exit 1 when the file is out of date.
 */

import { readFileSync, writeFileSync } from "node:fs"
import { losses } from "@speedq/distillation"
import { benchmarks } from "@speedq/evaluation"
import { exporters } from "@speedq/exports"
import { quantizers } from "@speedq/quantizers"
import { stages } from "@speedq/stages"
import { kernels } from "@speedq/tensors"

const file = "FEATURES.md"
const mark = (present: boolean): string => (present ? "yes" : "no")
const row = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n")

const page = [
  "# What there is",
  "",
  "Written by `npm run features` from the registries in the code.",
  "",
  "## Kernels",
  "",
  table(
    ["kernel", "operands", "gradient", "reference", "gpujs", "native"],
    kernels.map(({ name, inputs, gradient, gpujs, native }) => [
      name,
      Object.entries(inputs)
        .map(([operand, spec]) => `${operand}${spec.optional ? "?" : ""}${spec.updated ? " (updated)" : ""}`)
        .join(", "),
      mark(gradient !== undefined),
      "yes",
      mark(gpujs !== undefined),
      mark(native !== undefined)
    ])
  ),
  "",
  "A kernel without gradient is a gradient itself, updates in place, or gives whole numbers.",
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
