/**
 * Checks that packages import only downwards (`allowed` below) and declare what they import, that they load their own modules
 * statically, and that examples import packages as a user's code would, by name. Exit 1 with a line a violation.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { sourcesOf } from "./modules/repository.ts"
import { specifiersOf } from "./modules/specifiersOf.ts"

/** Direct and indirect ingredients of each package (imports go up this list only). */
const allowed: { readonly [name: string]: readonly string[] } = {
  tensors: [],
  formats: ["tensors"],
  quantizers: ["tensors", "formats"],
  distillation: ["tensors", "formats"],
  adaround: ["tensors", "quantizers"],
  "vlm-model": ["tensors", "formats"],
  evaluation: ["tensors", "formats", "vlm-model"],
  exports: ["tensors", "formats", "quantizers", "vlm-model"],
  web: ["tensors", "formats", "quantizers", "vlm-model", "exports"],
  // The engine knows no model.
  pipeline: ["formats"],
  stages: [
    ...["tensors", "formats", "quantizers", "distillation", "adaround", "vlm-model", "evaluation", "exports"],
    "pipeline"
  ],
  cluster: ["tensors", "formats", "pipeline", "stages"],
  speedq: [
    ...["tensors", "formats", "quantizers", "distillation", "adaround", "vlm-model", "evaluation", "exports"],
    ...["web", "pipeline", "stages", "cluster"]
  ]
}

const isRelative = (specifier: string): boolean => specifier.startsWith(".")
const importsOf = (path: string): readonly string[] => specifiersOf(readFileSync(path, "utf8"))

const violationsOf = (name: string): readonly string[] => {
  const root = join("packages", name)
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies?: { readonly [name: string]: string }
  }
  return sourcesOf(name).flatMap((path) =>
    importsOf(path).flatMap((specifier) => {
      if (isRelative(specifier)) {
        const escapes = join(path, "..", specifier).startsWith(root) === false
        return escapes ? [`${path}: "${specifier}" leaves its package; import "@speedq/..." instead`] : []
      }
      const used = /^@speedq\/([a-z-]+)/.exec(specifier)?.[1]
      if (used === undefined) return []
      const problems: string[] = []
      if (!allowed[name]?.includes(used)) problems.push(`${path}: ${name} must not import ${used}`)
      if (manifest.dependencies?.[`@speedq/${used}`] === undefined) {
        problems.push(`${path}: @speedq/${used} is not in ${root}/package.json`)
      }
      return problems
    })
  )
}

/**
 * Loaders that compile to CommonJS, as tsx does in a project without `"type": "module"`, leave `import()` to Node, which then loads
 * a second copy of the module and of all that it imports. Only the command, which Node itself runs, loads parts of itself late.
 */
const lateImportsOf = (name: string): readonly string[] =>
  typescriptOf(name).flatMap((path) =>
    [...readFileSync(path, "utf8").matchAll(/\bimport\("(\.[^"]*)"\)/g)].map(
      ([, specifier]) => `${path}: import("${specifier}") can load a second copy; import it statically`
    )
  )
const typescriptOf = (name: string) => sourcesOf(name).filter((path) => path.endsWith(".ts"))
const libraries = Object.keys(allowed).filter((name) => name !== "speedq")

const examples = readdirSync("examples").filter((file) => file.endsWith(".ts"))
const relativeImports = examples.flatMap((file) =>
  importsOf(join("examples", file))
    .filter(isRelative)
    .map((specifier) => `examples/${file}: "${specifier}" is not a package; import "@speedq/..." instead`)
)

const violations = [
  ...Object.keys(allowed).flatMap(violationsOf),
  ...libraries.flatMap(lateImportsOf),
  ...relativeImports
]
for (const violation of violations) console.error(violation)
console.log(`${Object.keys(allowed).length} packages, ${examples.length} examples, ${violations.length} wrong imports`)
process.exit(violations.length === 0 ? 0 : 1)
