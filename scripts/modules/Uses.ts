/** Which exports are in use, found by following imports to where a name is declared. */
import { type Module, membersOf } from "./readModule.ts"
import { browserTwin, resolveSpecifier } from "./repository.ts"

export class Uses {
  readonly #modules: ReadonlyMap<string, Module>
  readonly #used = new Set<string>()

  constructor(modules: ReadonlyMap<string, Module>) {
    this.#modules = modules
  }

  has(path: string, name: string): boolean {
    return this.#used.has(`${path} ${name}`)
  }

  /** Notes the use of an export, and of what it is passed on from; of "*", all of a module. */
  add(path: string, name: string): void {
    const found = this.#modules.get(path)
    if (found === undefined || this.has(path, name)) return
    this.#used.add(`${path} ${name}`)
    const twin = browserTwin(path)
    if (twin !== undefined) this.add(twin, name)
    if (name === "*") for (const each of [...found.own, ...found.passedOn.map(({ as }) => as)]) this.add(path, each)
    for (const { from, name: there, as } of found.passedOn) {
      const target = resolveSpecifier(path, from)
      if (target === undefined) continue
      if (as === name) this.add(target, there)
      else if (as === "*") this.add(target, name)
    }
  }

  /** Notes what a module imports; of a module that it holds as a whole, the members that it names. */
  addImports(path: string, counts: (target: string) => boolean = () => true): void {
    const own = this.#modules.get(path)!
    for (const { from, name, as } of own.imported) {
      const target = resolveSpecifier(path, from)
      if (target === undefined || !counts(target)) continue
      const whole = name === "*" ? target : this.wholeOf(target, name)
      if (whole === undefined || as === "") this.add(target, name)
      else for (const member of membersOf(own, as)) this.add(whole, member)
    }
  }

  /** Where an export is declared: through all that pass it on. */
  declarationsOf(path: string, name: string): readonly { readonly path: string; readonly name: string }[] {
    const found = this.#modules.get(path)
    if (found === undefined) return []
    const further = found.passedOn.flatMap(({ from, name: there, as }) => {
      const target = resolveSpecifier(path, from)
      if (target === undefined || (as !== name && as !== "*")) return []
      return this.declarationsOf(target, as === "*" ? name : there)
    })
    return found.own.has(name) ? [{ path, name }, ...further] : further
  }

  /** The module that `name` of `path` is the whole of (`export * as name from`), wherever it is passed on from. */
  wholeOf(path: string, name: string): string | undefined {
    for (const { from, name: there, as } of this.#modules.get(path)?.passedOn ?? []) {
      const target = resolveSpecifier(path, from)
      if (target === undefined || (as !== name && as !== "*")) continue
      if (as === name) return there === "*" ? target : this.wholeOf(target, there)
      const deeper = this.wholeOf(target, name)
      if (deeper !== undefined) return deeper
    }
    return undefined
  }
}
