/**
 * npm run parity -- DIR [--backend reference|native|native:none|gpujs:webasm]: checks every fixture below DIR (laid out like test/fixtures), a line each with its
 * largest error in units of the tolerance; exit 1 on any miss, also on a fixture that no check knows.
 */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { openBackend } from "@speedq/tensors"
import { checks } from "./checks.ts"
import { readFixture } from "./Fixture.ts"

const inputsOnly = /checkpoint\/model$/

const run = async (directory: string, backendName: string): Promise<boolean> => {
  const backend = await openBackend(backendName)
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
  const names = files
    .flatMap((file) => (file.endsWith(".safetensors") ? [file.slice(0, -".safetensors".length)] : []))
    .sort()
  let passed = 0
  let failed = 0
  for (const name of names.filter((name) => !inputsOnly.test(name))) {
    const check = checks.find(({ matches }) => matches.test(name))
    if (check === undefined) {
      failed++
      console.log(`MISS ${name}: no check knows this fixture`)
      continue
    }
    const results = await check.run(readFixture(join(directory, `${name}.safetensors`)), backend)
    const worst = results.reduce((a, b) => (b.error > a.error ? b : a))
    const misses = results.filter(({ ok }) => !ok)
    if (misses.length === 0) passed++
    else failed++
    const verdict = misses.length === 0 ? "ok  " : "MISS"
    console.log(
      `${verdict} ${name}: ${results.length} comparisons, worst ${worst.what} ${worst.error.toPrecision(3)} of the tolerance (difference ${worst.difference.toExponential(2)})`
    )
    for (const miss of misses.slice(0, 5))
      console.log(`     ${miss.what}: ${miss.error.toPrecision(3)} of the tolerance`)
  }
  await backend.close()
  console.log(`${backend.name}: ${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0
}

const { argv } = process
const flag = argv.indexOf("--backend")
const directory = argv
  .slice(2)
  .find((argument, index, all) => !argument.startsWith("--") && all[index - 1] !== "--backend")
const ok = await run(directory ?? "test/fixtures", flag < 0 ? "native" : (argv[flag + 1] ?? ""))
process.exitCode = ok ? 0 : 1
