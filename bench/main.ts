/** `npm run bench -- CASE [--json] [flags]`: measures one case and prints lines, or one JSON document. */
import { activations } from "./activations.ts"
import { adaround } from "./adaround.ts"
import { clipsearch } from "./clipsearch.ts"
import { cluster } from "./cluster.ts"
import { exports } from "./exports.ts"
import { fakequant } from "./fakequant.ts"
import { gemm } from "./gemm.ts"
import { generate } from "./generate.ts"
import { kernels } from "./kernels.ts"
import { launches } from "./launches.ts"
import { load } from "./load.ts"
import { Flags } from "./measure.ts"
import { qat } from "./qat.ts"
import { quantization } from "./quantization.ts"
import { samples } from "./samples.ts"
import { soak } from "./soak.ts"
import { vit } from "./vit.ts"

/** A case returns its report: plain data, printed as it is with --json. */
type Case = (flags: Flags) => Promise<{ readonly [name: string]: unknown }>

const cases: { readonly [name: string]: Case } = {
  activations,
  adaround,
  clipsearch,
  cluster,
  exports,
  fakequant,
  gemm,
  generate,
  kernels,
  launches,
  load,
  qat,
  quantization,
  samples,
  soak,
  vit
}

const [name = "", ...rest] = process.argv.slice(2)
const run = cases[name]
if (run === undefined) {
  process.stderr.write(`bench: no case "${name}"; there are ${Object.keys(cases).join(", ")}\n`)
  process.exit(2)
}
const flags = new Flags(rest)
const report = await run(flags)
if (flags.has("json")) process.stdout.write(JSON.stringify(report) + "\n")
else {
  const { rows, ...head } = report
  process.stdout.write(JSON.stringify(head, null, 2) + "\n")
  if (Array.isArray(rows)) for (const row of rows) process.stdout.write(JSON.stringify(row) + "\n")
}
