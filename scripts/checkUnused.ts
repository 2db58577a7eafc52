/**
 * Finds exports without a use.
 *   node --import tsx scripts/checkUnused.ts [--public]
 * Every export of a source must be imported by something that is no test, or be public: a package's entry (index.ts, or a
 * subpath of its package.json) passes it on. What its own module uses may be exported for its test. Exit 1 with a line for every
 * other one. `--public` lists what neither another package, a script, a bench, an example nor the documentation uses of what is
 * public: information, no fault.
 */
import { type Module, readModule, usesItself } from "./modules/readModule.ts"
import { packages, readDocumentation, sources, tests, users } from "./modules/repository.ts"
import { Uses } from "./modules/Uses.ts"

const modules = new Map<string, Module>([...users, ...tests].map((path) => [path, readModule(path)]))

/** Types that declarations of another module name, though no import does: what is inferred there must be able to reach them. */
const inferred: readonly string[] = ["packages/stages/src/training/trainingProgram.ts TrainingState"]

/** Names that an entry passes on; a whole module under one name with its members. */
const surfaceOf = (uses: Uses, entry: string) => {
  const { own, passedOn } = modules.get(entry)!
  return [...own, ...passedOn.map(({ as }) => as)].flatMap((name) => {
    const whole = uses.wholeOf(entry, name)
    if (whole === undefined) return [{ path: entry, export: name, name }]
    const { own: members, passedOn: more } = modules.get(whole)!
    return [...members, ...more.map(({ as }) => as)].map((member) => ({
      path: whole,
      export: member,
      name: `${name}.${member}`
    }))
  })
}

const checkAll = (): void => {
  const uses = new Uses(modules)
  for (const path of users) uses.addImports(path)
  const entries = packages.flatMap((each) => [...each.entries.values()])
  for (const entry of entries) for (const each of surfaceOf(uses, entry)) uses.add(each.path, each.export)
  const inTests = new Uses(modules)
  for (const path of tests) inTests.addImports(path)

  const faults = sources.flatMap((path) => {
    const module = modules.get(path)!
    return [...module.own].flatMap((name) => {
      if (uses.has(path, name) || inferred.includes(`${path} ${name}`)) return []
      const tested = inTests.has(path, name)
      if (!usesItself(module, name)) return [`${path}: ${name} has no use${tested ? " but in tests" : ""}; delete it`]
      return tested ? [] : [`${path}: ${name} is used in its own module alone; drop its "export"`]
    })
  })
  for (const fault of faults) console.error(fault)
  console.log(`${sources.length} modules, ${faults.length} exports without a use`)
  process.exitCode = faults.length === 0 ? 0 : 1
}

const listPublic = (): void => {
  const packageOf = (path: string) => path.split("/").slice(0, 2).join("/")
  const [within, across] = [new Uses(modules), new Uses(modules)]
  for (const path of users) {
    within.addImports(path)
    across.addImports(path, (target) => packageOf(target) !== packageOf(path))
  }
  const documentation = readDocumentation()
  const isDocumented = (name: string) => new RegExp(`\\b${name.replace("*", "")}\\b`).test(documentation)
  /** Where a name is declared, and whether anything but its tests uses it there. */
  const isDead = (path: string, name: string): boolean =>
    within
      .declarationsOf(path, name)
      .every((at) => !within.has(at.path, at.name) && !usesItself(modules.get(at.path)!, at.name))
  for (const { entries } of packages) {
    for (const [specifier, entry] of entries) {
      const unused = surfaceOf(across, entry).filter(
        (each) => !across.has(each.path, each.export) && !isDocumented(each.name)
      )
      const dead = unused.filter((each) => isDead(each.path, each.export))
      const listed = (names: typeof unused) => names.map(({ name }) => name).join(", ")
      if (unused.length > 0) console.log(`${specifier}: ${unused.length} names for others: ${listed(unused)}`)
      if (dead.length > 0) console.log(`  of these no source uses ${listed(dead)}`)
    }
  }
}

if (process.argv.includes("--public")) listPublic()
else checkAll()
