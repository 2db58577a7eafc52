/** What a module exports and what it takes from others, read from its text: one pass over statements that begin a line. */
import { readFileSync } from "node:fs"

/** One name that is taken from another module; "*" is the whole of it. */
export interface Taken {
  readonly from: string
  readonly name: string
}

export interface Module {
  readonly text: string
  /** Names that are declared here, or listed out of what is declared here, and exported: by exported name. */
  readonly own: ReadonlySet<string>
  /** Names exported out of other modules: by exported name. `export * from` is under "*". */
  readonly passedOn: readonly (Taken & { readonly as: string })[]
  /** Names imported for use, by local name. "*" is a whole module; a local name of "" has none (`import("x")`). */
  readonly imported: readonly (Taken & { readonly as: string })[]
}

/** Comments and the insides of template literals as spaces; strings stay, since specifiers are strings. */
const withoutComments = (text: string): string =>
  text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, (found) =>
    found.startsWith("/") ? found.replace(/[^\n]/g, " ") : found
  )

/** `a, type B, c as d` as pairs of the name there and the name here. */
const namesIn = (list: string): readonly (readonly [string, string])[] =>
  list
    .split(",")
    .map((item) => item.trim().replace(/^type\s+/, ""))
    .filter((item) => item !== "")
    .map((item) => {
      const [name = "", as = name] = item.split(/\s+as\s+/)
      return [name, as] as const
    })

const declaration =
  /^export\s+(?:declare\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|class|interface|type|enum|namespace|function\*?)\s+(\w+)/gm
const destructured = /^export\s+const\s*[{[]([^=]*)[}\]]\s*=/gm
const listed = /^export\s+(?:type\s+)?\{([^}]*)\}(?:\s*from\s*["']([^"']+)["'])?/gm
const starred = /^export\s+(?:type\s+)?\*(?:\s+as\s+(\w+))?\s*from\s*["']([^"']+)["']/gm
const imports = /^import\s+(?:type\s+)?(?:(\w+)\s*,?\s*)?(?:\*\s+as\s+(\w+)|\{([^}]*)\})?\s*from\s*["']([^"']+)["']/gm
/** A module that is loaded when it runs, or named in a type: all of it may be used, or the member that follows. */
const called = /\bimport\(\s*["']([^"']+)["']\s*\)(?:\s*\.\s*(\w+))?/g

export const readModule = (path: string): Module => {
  const text = withoutComments(readFileSync(path, "utf8"))
  const all = (pattern: RegExp) => [...text.matchAll(pattern)].map((found) => found.map((part) => part ?? ""))
  const imported = [
    ...all(imports).flatMap(([, normal = "", whole = "", list = "", from = ""]) => [
      ...(normal === "" ? [] : [{ from, name: "default", as: normal }]),
      ...(whole === "" ? [] : [{ from, name: "*", as: whole }]),
      ...namesIn(list).map(([name, as]) => ({ from, name, as }))
    ]),
    ...all(called).map(([, from = "", member = ""]) => ({ from, name: member === "then" ? "" : member, as: "" }))
  ].map((each) => (each.name === "" ? { ...each, name: "*" } : each))
  const locals = new Map(imported.map((each) => [each.as, each]))
  const lists = all(listed).flatMap(([, list = "", from = ""]) =>
    namesIn(list).map(([name, as]) => ({ from, name, as }))
  )
  // `import { a } ...; export { a }` passes on, as `export { a } from` does.
  const passedOn = lists.flatMap(({ from, name, as }) => {
    if (from !== "") return [{ from, name, as }]
    const local = locals.get(name)
    return local === undefined ? [] : [{ from: local.from, name: local.name, as }]
  })
  const stars = all(starred).map(([, as = "", from = ""]) => ({ from, name: "*", as: as === "" ? "*" : as }))
  const own = new Set([
    ...all(declaration).map(([, name = ""]) => name),
    ...all(destructured).flatMap(([, list = ""]) => namesIn(list.replaceAll(/\w+\s*:/g, "")).map(([, as]) => as)),
    ...lists.filter(({ from, name }) => from === "" && !locals.has(name)).map(({ as }) => as),
    ...(/^export\s+default\b/m.test(text) ? ["default"] : [])
  ])
  return { text, own, passedOn: [...passedOn, ...stars], imported }
}

/** Whether a module uses one of its own exports: names it beside its declarations, in code. */
export const usesItself = ({ text }: Pick<Module, "text">, name: string): boolean => {
  const code = text
    .replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, '""')
    .replaceAll(new RegExp(`\\bexport type ${name} = typeof ${name}\\b`, "g"), "")
    .replaceAll(new RegExp(`TaggedError<${name}>`, "g"), "")
  const declared = code.match(new RegExp(`\\b(?:const|let|class|interface|type|enum|function\\*?)\\s+${name}\\b`, "g"))
  return (code.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0) > (declared?.length ?? 0)
}

/** Members that a module uses of something it holds as a whole: `Local.member`. */
export const membersOf = ({ text }: Pick<Module, "text">, local: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\\b${local}\\s*\\.\\s*(\\w+)`, "g"))].map(([, member = ""]) => member)
