/**
 * Finds cycles of imports within a package, type imports included: files that cannot be read one after the other.
 *   node --import tsx scripts/checkCycles.ts [PACKAGE ...]
 * Looks at all packages where none is named. Prints every cycle (strongly connected files) and ends with 1 where there is one.
 */
import { readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { packageFolders, resolveSpecifier, sourcesOf } from "./modules/repository.ts"
import { specifiersOf } from "./modules/specifiersOf.ts"

type Graph = ReadonlyMap<string, readonly string[]>

const graphOf = (files: readonly string[]): Graph => {
  const known = new Set(files)
  const importsOf = (file: string): readonly string[] => {
    const paths = specifiersOf(readFileSync(file, "utf8")).map((specifier) => resolveSpecifier(file, specifier))
    return [...new Set(paths)].filter((path) => path !== undefined).filter((path) => known.has(path))
  }
  return new Map(files.map((file) => [file, importsOf(file)]))
}

/** Tarjan's algorithm: files that reach each other, and files that import themselves. */
const cyclesOf = (graph: Graph): readonly (readonly string[])[] => {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const open: string[] = []
  const cycles: (readonly string[])[] = []
  const visit = (file: string): number => {
    const own = order.size
    order.set(file, own)
    lowest.set(file, own)
    open.push(file)
    for (const next of graph.get(file) ?? []) {
      const reached = order.has(next) ? (open.includes(next) ? order.get(next)! : own) : visit(next)
      lowest.set(file, Math.min(lowest.get(file)!, reached))
    }
    if (lowest.get(file) === own) {
      const members = open.splice(open.indexOf(file))
      if (members.length > 1 || graph.get(file)?.includes(file)) cycles.push(members.sort())
    }
    return lowest.get(file)!
  }
  for (const file of graph.keys()) if (!order.has(file)) visit(file)
  return cycles
}

const wanted = process.argv.slice(2)
for (const name of wanted) {
  if (!packageFolders.includes(name))
    throw new Error(`there is no package ${name}; there are ${packageFolders.join(", ")}`)
}
for (const name of wanted.length === 0 ? packageFolders : wanted) {
  const graph = graphOf(sourcesOf(name))
  const cycles = cyclesOf(graph)
  if (cycles.length > 0) process.exitCode = 1
  console.log(`${name}: ${graph.size} files, ${cycles.length === 0 ? "no cycle" : `${cycles.length} cycles`}`)
  for (const members of cycles) {
    const path = (file: string) => relative(join("packages", name, "src"), file)
    console.log(`  a cycle of ${members.length} files`)
    for (const file of members) {
      const within = graph.get(file)!.filter((other) => members.includes(other))
      console.log(`    ${path(file)} -> ${within.map(path).join(", ")}`)
    }
  }
}
