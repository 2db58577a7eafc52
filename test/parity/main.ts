/**
 * npm run parity -- [DIR] [--backend reference|native|native:none|gpujs:webasm] [--arithmetic f32|bf16]: checks every fixture of
 * the arithmetic below DIR (laid out like test/fixtures, which is the default), a line each with its largest error in units of the tolerance; exit 1 on any
 * miss, also on a fixture that no check knows, and where there are none; exit 2 on wrong usage.
 */
import { existsSync } from "node:fs"
import { parseArgs } from "node:util"
import { type BackendName, openBackend } from "@speedq/tensors"
import { checkFixture, describeOutcome, fixtureNames, passed } from "./run.ts"

const parse = () => {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { backend: { type: "string", default: "native" }, arithmetic: { type: "string", default: "f32" } }
    })
    const [directory = "test/fixtures", ...rest] = positionals
    if (rest.length > 0) throw new Error(`one directory at a time, not also ${rest.join(", ")}`)
    if (!existsSync(directory)) throw new Error(`there is no directory ${directory}`)
    const { backend, arithmetic } = values
    if (arithmetic !== "f32" && arithmetic !== "bf16") throw new Error(`--arithmetic is f32 or bf16, not ${arithmetic}`)
    return { directory, backend, arithmetic } as const
  } catch (error) {
    console.error(`parity: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(2)
  }
}

const { directory, backend: backendName, arithmetic } = parse()
const backend = await openBackend(backendName as BackendName, { arithmetic }).catch((error: Error) => {
  console.error(`parity: ${error.message}`)
  return process.exit(2)
})
const names = fixtureNames(directory, arithmetic)
let missed = 0
for (const name of names) {
  const outcome = await checkFixture(directory, name, backend)
  if (!passed(outcome)) missed++
  console.log(describeOutcome(outcome))
}
await backend.close()
console.log(`${backend.name}: ${names.length - missed} passed, ${missed} failed`)
process.exitCode = missed === 0 && names.length > 0 ? 0 : 1
