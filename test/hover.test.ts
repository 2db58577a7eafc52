/** Editors show what an option means where code writes it, from the declarations that packages are installed with. */
import { existsSync, readFileSync, realpathSync } from "node:fs"
import { resolve } from "node:path"
import ts from "typescript-5"
import { assert, describe, it } from "vitest"

const file = resolve("test/hover.example.ts")

/** What an editor shows of every property that is written in the file. */
const hovers = () => {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    types: []
  }
  const service = ts.createLanguageService({
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    realpath: (name) => realpathSync(name),
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot: (name) =>
      existsSync(name) ? ts.ScriptSnapshot.fromString(readFileSync(name, "utf8")) : undefined,
    getCurrentDirectory: () => process.cwd(),
    getCompilationSettings: () => options,
    getDefaultLibFileName: ts.getDefaultLibFilePath
  })
  const found: { readonly name: string; readonly text: string }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAssignment(node)) {
      const info = service.getQuickInfoAtPosition(file, node.name.getStart())
      const tags = (info?.tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`)
      found.push({
        name: node.name.getText(),
        text: [ts.displayPartsToString(info?.documentation), ...tags].join("\n")
      })
    }
    ts.forEachChild(node, visit)
  }
  visit(service.getProgram()!.getSourceFile(file)!)
  const problems = service.getSemanticDiagnostics(file)
  return { found, problems: problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")) }
}

describe("hover texts", () => {
  it("tell what each option of stages, rules, quantizers and recipes means", () => {
    assert.isTrue(existsSync("packages/speedq/dist/index.d.ts"), "declarations are missing: npm run build")
    const { found, problems } = hovers()
    assert.deepEqual(problems, [])
    assert.isAtLeast(found.length, 40)
    assert.deepEqual(
      found.filter(({ text }) => text === ""),
      []
    )
    const batch = found.find(({ name }) => name === "batch")!.text
    assert.match(batch, /Samples that go through the model together/)
    assert.match(batch, /Unit: samples\./)
    assert.match(batch, /Default from: the reference's scripts\./)
    assert.match(batch, /@default 1/)
  })
})
