/**
 * Finds cycles of imports within a package, type imports included: files that cannot be read one after the other.
 *   node --import tsx scripts/checkCycles.ts [PACKAGE ...]
 * Looks at all packages where none is named. Prints every cycle (strongly connected files) and ends with 1 where there is one.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

type Graph = ReadonlyMap<string, readonly string[]>

const packages = fileURLToPath(new URL("../packages", import.meta.url))

const sourcesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => join(folder, path))

/** A comment, a string that is no specifier, or a specifier after `from`, `import` or `import(`: whichever begins first. */
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\b(?:from|import)\s*\(?\s*(["'])(?<specifier>[^"'\n]+)\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g

/** Relative specifiers that a text imports, exports from, or loads when it runs. */
const specifiersOf = (text: string): readonly string[] =>
  Array.from(text.matchAll(token), ({ groups }) => groups?.specifier).filter(
    (specifier): specifier is string => specifier?.startsWith(".") ?? false
  )

const graphOf = (folder: string): Graph => {
  const files = sourcesOf(folder)
  const known = new Set(files)
  const importsOf = (file: string): readonly string[] => {
    const paths = specifiersOf(readFileSync(file, "utf8")).map((specifier) => resolve(dirname(file), specifier))
    return [...new Set(paths)].filter((path) => known.has(path))
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
const present = readdirSync(packages).filter((name) => existsSync(join(packages, name, "src")))
for (const name of wanted) {
  if (!present.includes(name)) throw new Error(`there is no package ${name}; there are ${present.join(", ")}`)
}
for (const name of wanted.length === 0 ? present : wanted) {
  const folder = join(packages, name, "src")
  const graph = graphOf(folder)
  const cycles = cyclesOf(graph)
  if (cycles.length > 0) process.exitCode = 1
  console.log(`${name}: ${graph.size} files, ${cycles.length === 0 ? "no cycle" : `${cycles.length} cycles`}`)
  for (const members of cycles) {
    const path = (file: string) => relative(folder, file)
    console.log(`  a cycle of ${members.length} files`)
    for (const file of members) {
      const within = graph.get(file)!.filter((other) => members.includes(other))
      console.log(`    ${path(file)} -> ${within.map(path).join(", ")}`)
    }
  }
}
