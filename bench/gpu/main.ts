/**
 * What a GPU does with speedq's kernels, part by part: `node --import tsx -C @speedq/source bench/gpu/main.ts PART [--small]`. Each prints
 * one JSON document a line. `--small` takes shapes that a GPU in software can compute. bench/gpu/run.sh runs all parts on a machine that
 * has nothing but a GPU, from what bench/gpu/pack.sh packs.
 */
import { adapter } from "./adapter.ts"
import { bandwidth } from "./bandwidth.ts"
import { conformance } from "./conformance.ts"
import { launchCosts } from "./launchCosts.ts"
import { matrixProducts, products } from "./products.ts"
import { type Part, printer } from "./report.ts"
import { longSteps, shortSteps } from "./steps.ts"

const parts: { readonly [name: string]: Part } = {
  adapter,
  bandwidth,
  conformance,
  launches: launchCosts,
  products,
  "products-f16": matrixProducts,
  "steps-512": shortSteps,
  "steps-2048": longSteps
}

const [name = "", ...flags] = process.argv.slice(2)
const run = parts[name]
if (run === undefined) {
  process.stderr.write(`bench/gpu: no part "${name}"; there are ${Object.keys(parts).join(", ")}\n`)
  process.exit(2)
}
const print = printer(name)
try {
  await run(print, flags.includes("--small") ? "small" : "whole")
} catch (error) {
  print({ failed: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  process.exitCode = 1
}
