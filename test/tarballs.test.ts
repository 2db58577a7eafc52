/**
 * The packages as a user gets them: packed, installed in an empty directory outside of this repository, type-checked by two
 * versions of TypeScript, and run.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { examplesOf } from "../scripts/readmes/examplesOf.ts"
import { examples } from "./tarballs/examples.ts"
import { bytesBelow, install, type Packed, packAll } from "./tarballs/packages.ts"
import { execute, node } from "./tarballs/processes.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-tarballs-"))
/** A project with everything, and one that wants quantizers alone. */
const project = join(root, "project")
const small = join(root, "small")
const compiled = "out"
const shippedModel = "node_modules/speedq/dist/share/data/nano/model"

let packages: readonly Packed[] = []

const minutes = 60_000

/** The README's example of a recipe. */
const readmeRecipe = (): string => {
  const example = examplesOf("README.md").find(({ text }) => text.includes("export const recipe"))
  assert.isDefined(example, "README.md has no example that exports a recipe")
  return example!.text
}

/** The examples of the packages' READMEs, each a module: they compile with what a user installs. */
const readmeExamples = (): readonly (readonly [file: string, text: string])[] =>
  readdirSync("packages").flatMap((name) =>
    examplesOf(join("packages", name, "README.md")).map(
      ({ text }, index) => [`readme-${name}-${index + 1}.ts`, `${text}\nexport {}\n`] as const
    )
  )

/** Every module that packages export, as one imports it. */
const entryPointsOf = (packed: readonly Packed[]): readonly string[] =>
  packed.flatMap(({ manifest: { name, exports } }) =>
    Object.entries(exports).flatMap(([subpath, entry]) => (typeof entry === "string" ? [] : [name + subpath.slice(1)]))
  )

/** Imports every entry point of every package. */
const importsOf = (packed: readonly Packed[]): string => {
  const entries = entryPointsOf(packed)
  const lines = entries.map((entry, index) => `import * as e${index} from ${JSON.stringify(entry)}`)
  return `${lines.join("\n")}\nconsole.log([${entries.map((_, index) => `e${index}`).join(", ")}].length)\n`
}

const tsconfig = (module: "NodeNext" | "ESNext") => ({
  compilerOptions: {
    target: "ES2022",
    // effect's declarations name what browsers have.
    lib: ["ES2023", "DOM"],
    types: ["node"],
    module,
    moduleResolution: module === "NodeNext" ? "NodeNext" : "Bundler",
    strict: true,
    exactOptionalPropertyTypes: true,
    rewriteRelativeImportExtensions: true,
    skipLibCheck: false,
    outDir: compiled
  },
  include: ["*.ts"]
})

const fillProject = () => {
  for (const name of readdirSync("examples").filter((file) => file.endsWith(".ts"))) {
    cpSync(join("examples", name), join(project, name))
  }
  cpSync("test/tarballs/consumer", project, { recursive: true })
  writeFileSync(join(project, "readme.ts"), readmeRecipe())
  for (const [file, text] of readmeExamples()) writeFileSync(join(project, file), text)
  writeFileSync(join(project, "imports.ts"), importsOf(packages))
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify(tsconfig("NodeNext")))
  writeFileSync(join(project, "tsconfig.bundler.json"), JSON.stringify(tsconfig("ESNext")))
}

const compile = (typescript: string, ...args: readonly string[]) =>
  node([resolve("node_modules", typescript, "bin/tsc"), ...args], project)

/** `speedq` as npm links it. */
const speedq = (...args: readonly string[]) => execute("npx", ["--no-install", "speedq", ...args], project)

const { version: nodeTypes } = JSON.parse(readFileSync("node_modules/@types/node/package.json", "utf8"))

beforeAll(async () => {
  packages = await packAll(root)
  const tarballOf = (name: string) => packages.find(({ manifest }) => manifest.name === name)!.tarball
  await Promise.all([
    install(project, [...packages.map(({ tarball }) => tarball), `@types/node@${nodeTypes}`]),
    install(small, ["@speedq/tensors", "@speedq/formats", "@speedq/quantizers"].map(tarballOf))
  ])
  fillProject()
  await compile("typescript-5", "-p", ".")
}, 10 * minutes)
afterAll(() => rmSync(root, { recursive: true, force: true }), 10 * minutes)

describe("a tarball", () => {
  it("holds what its manifest names, a licence and a README, and no tests", () => {
    const licence = readFileSync("LICENSE", "utf8")
    for (const { folder, manifest, files } of packages) {
      const { name, exports, bin = {} } = manifest
      const exported = Object.values(exports).flatMap((entry) =>
        typeof entry === "string" ? [entry] : [entry.types, entry.default]
      )
      const named = [...exported, ...Object.values(bin)]
      for (const file of [...named.map((path) => path.replace(/^\.\//, "")), "LICENSE", "README.md"]) {
        assert.include(files, file, `${name}: is it built? npm run build`)
      }
      assert.deepEqual(
        files.filter((file) => !/^(dist|src|bin|assembly)\/|^(LICENSE|README\.md|package\.json)$/.test(file)),
        [],
        name
      )
      assert.deepEqual(
        files.filter((file) => /(^|\/)test\/|\.test\.|tsbuildinfo$/.test(file)),
        [],
        name
      )
      assert.strictEqual(readFileSync(join(folder, "LICENSE"), "utf8"), licence, name)
    }
  })

  it("says what it is, and takes effect from its user", () => {
    for (const { folder, manifest } of packages) {
      const { name, description, license, repository, peerDependencies = {} } = manifest
      assert.isUndefined(manifest.private, name)
      assert.isNotEmpty(description, name)
      assert.strictEqual(license, "MIT", name)
      assert.strictEqual(repository.directory, folder, name)
      assert.notProperty((manifest as { readonly dependencies?: object }).dependencies ?? {}, "effect", name)
      const uses = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).some(
        (file) => file.endsWith(".ts") && /from "effect\//.test(readFileSync(join(folder, "src", file), "utf8"))
      )
      assert.strictEqual("effect" in peerDependencies, uses, name)
    }
  })
})

describe("examples", () => {
  it("are those that are checked here, each with a line in their README", () => {
    const files = readdirSync("examples").filter((name) => name.endsWith(".ts"))
    assert.deepStrictEqual(
      files.sort(),
      Object.keys(examples)
        .map((name) => `${name}.ts`)
        .sort()
    )
    const readme = readFileSync("examples/README.md", "utf8")
    for (const file of files) assert.include(readme, `[\`${file}\`](${file})`)
  })
})

describe("@speedq/quantizers alone", () => {
  it("takes well under 100 MB, and quantizes a tensor", async () => {
    assert.isBelow(await bytesBelow(join(small, "node_modules")), 80e6)
    cpSync(join(project, compiled, "oneTensor.js"), join(small, "oneTensor.js"))
    const { stdout } = await node(["oneTensor.js"], small)
    assert.strictEqual(stdout, "640 bytes, the same bits\n")
  })
})

// Programs spend much of their seconds on one core: several run at once.
describe.concurrent("in a project of its own", { timeout: 2 * minutes }, () => {
  it("the declarations of all packages satisfy TypeScript 7 too, as bundlers find modules", async () => {
    await compile("typescript", "-p", "tsconfig.bundler.json", "--noEmit")
  })

  it("every entry point can be imported", async () => {
    const { stdout } = await node([join(compiled, "imports.js")], project)
    assert.strictEqual(stdout, `${entryPointsOf(packages).length}\n`)
  })

  it("the JSON Schema of recipes is where docs/command.md says, and what the package exports", () => {
    const told = /"\$schema": "\.\/(node_modules\/speedq\/[^"]+)"/.exec(readFileSync("docs/command.md", "utf8"))?.[1]
    assert.isDefined(told)
    const installed = join(project, told!)
    assert.strictEqual(readFileSync(installed, "utf8"), readFileSync("configs/recipe.schema.json", "utf8"))
    assert.strictEqual(createRequire(join(project, "any.js")).resolve("speedq/recipe.schema.json"), installed)
  })

  for (const [name, { promise, check }] of Object.entries(examples)) {
    it(`examples/${name}.ts: ${promise}`, async () => {
      const directory = join(project, "runs", name)
      check({ directory, ...(await node([join(compiled, `${name}.js`), shippedModel, directory], project)) })
    })
  }

  it("progress events go into a program's own log", async () => {
    const { stdout } = await node([join(compiled, "logEvents.js")], project)
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly stage: string; readonly event: string })
    assert.includeMembers(
      events.filter(({ stage }) => stage === "01-adaround-vit").map(({ event }) => event),
      ["StageStarted", "LayerQuantized", "StepDone", "StageFinished"]
    )
  })

  it("the README's recipe runs as printed, where npm makes packages CommonJS; plan reads it without running it", async () => {
    const plain = join(project, "plain")
    mkdirSync(plain)
    writeFileSync(join(plain, "package.json"), "{}")
    writeFileSync(join(plain, "recipe.ts"), readmeRecipe())
    const { stdout } = await execute("npx", ["--no-install", "speedq", "plan", "recipe.ts", "--no-time"], plain)
    assert.match(stdout, /^mine: model .*data\/nano\/model, seed 7, into runs\/mine$/m)
    assert.isFalse(existsSync(join(plain, "runs")))
    await node(["--import", import.meta.resolve("tsx"), "recipe.ts"], plain)
    assert.isTrue(existsSync(join(plain, "runs/mine/report.html")))
  })

  it(
    "`npx speedq run nano-2bit` finds the recipe and all that it reads",
    async () => {
      const evaluations = ["evaluate", ...[2, 3, 4, 5, 6].map((place) => `evaluate-${place}`)]
      const settings = [
        ...evaluations.flatMap((stage) => [
          `${stage}.benchmarks[0].limit=2`,
          `${stage}.benchmarks[1].limit=2`,
          `${stage}.divergence=2`
        ]),
        ...["adaround-vit.count=4", "adaround-vit.iterations=2"],
        ...["train-projector.batch=2", "train-projector.maxSteps=2", "autoclip.documents=16"],
        ...["qat.batch=2", "qat.maxSteps=2", "qat.loss.confidenceBatches=2"]
      ]
      const { stdout } = await speedq("run", "nano-2bit", ...settings.flatMap((setting) => ["--set", setting]))
      for (const row of ["full precision", "nearest 2-bit", "SPEED-Q 2-bit"]) assert.include(stdout, row)
      const chat = ["chat", "runs/nano-2bit/model/packed", "--image", "speedq:data/nano/images/0003.png"]
      const answered = await speedq(...chat, "What is shown?", "--max-new-tokens", "3", "--json")
      assert.isString(JSON.parse(answered.stdout).answer)
    },
    2 * minutes
  )
})
