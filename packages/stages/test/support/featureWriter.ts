/**
 * A process that finds or keeps features: `featureWriter DIRECTORY LIMIT FIRST COUNT`. A COUNT of 0 goes on until it is killed. It ends
 * with 1 where it finds numbers that nobody kept.
 */
import { deepStrictEqual } from "node:assert"
import { find, keep, keyOf, openStore, valuesOf } from "./someFeatures.ts"

const [directory = "", limit, first, count] = process.argv.slice(2)
const [from, many] = [Number(first), Number(count)]
const told: string[] = []
const store = await openStore(directory, Number(limit), "f32", told)
for (let at = 0; many === 0 || at < many; at++) {
  const key = keyOf(0, from + at)
  const found = await find(store, key)
  if (found === undefined) await keep(store, key)
  else deepStrictEqual(found, valuesOf(key))
  if (at === 20) process.stdout.write("twenty\n")
}
deepStrictEqual(told, [])
