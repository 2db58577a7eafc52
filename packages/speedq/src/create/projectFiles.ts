/** The files of a new project: a recipe in code, a folder for data, and what is needed to run and check them. */
import { join } from "node:path"
import { readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { version } from "../command/version.ts"
import { shippedFile } from "../shipped/shipped.ts"

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** A name that npm takes for a package. */
const packageName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "") || "project"

const manifest = (name: string) => ({
  name: packageName(name),
  version: "0.0.0",
  private: true,
  type: "module",
  scripts: { check: "tsc", plan: "speedq plan recipe.ts", start: "speedq run recipe.ts" },
  dependencies: { speedq: version },
  devDependencies: { typescript: "7.0.2" }
})

const typescript = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: [],
    noEmit: true
  },
  include: ["*.ts"]
}

/** The project that comes along, whose name stands in these files. */
const example = { directory: "examples/project", name: "my-model", files: ["recipe.ts", "README.md", "data/README.md"] }

/** Paths within a project of that name, and what stands there. Fails with FileFailed. */
export const projectFiles = Effect.fnUntraced(function* (name: string) {
  // As it stands within quotes in the recipe.
  const quoted = JSON.stringify(name).slice(1, -1)
  const copied = yield* Effect.forEach(example.files, (file) =>
    Effect.map(readText(shippedFile(join(example.directory, file))), (text): readonly [string, string] => [
      file,
      text.replaceAll(example.name, () => quoted)
    ])
  )
  const made = {
    "package.json": json(manifest(name)),
    "tsconfig.json": json(typescript),
    ".gitignore": "node_modules/\nruns/\nevaluations/\nmodels/\n"
  }
  return { ...Object.fromEntries(copied), ...made }
})
