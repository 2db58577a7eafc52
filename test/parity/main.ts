/**
 * npm run parity -- [DIR] [--backend reference|native|native:none|gpujs:webasm]: checks every fixture below DIR (laid out
 * like test/fixtures, which is the default), a line each with its largest error in units of the tolerance; exit 1 on any
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
      options: { backend: { type: "string", default: "native" } }
    })
    const [directory = "test/fixtures", ...rest] = positionals
    if (rest.length > 0) throw new Error(`one directory at a time, not also ${rest.join(", ")}`)
    if (!existsSync(directory)) throw new Error(`there is no directory ${directory}`)
    return { directory, backend: values.backend }
  } catch (error) {
    console.error(`parity: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(2)
  }
}

const { directory, backend: backendName } = parse()
const backend = await openBackend(backendName as BackendName).catch((error: Error) => {
  console.error(`parity: ${error.message}`)
  return process.exit(2)
})
const names = fixtureNames(directory)
let missed = 0
for (const name of names) {
  const outcome = await checkFixture(directory, name, backend)
  if (!passed(outcome)) missed++
  console.log(describeOutcome(outcome))
}
await backend.close()
console.log(`${backend.name}: ${names.length - missed} passed, ${missed} failed`)
process.exitCode = missed === 0 && names.length > 0 ? 0 : 1
