/**
 * Names of modules in a quantization's settings. A checkpoint, transformers and vLLM write the beginning of a name in different ways
 * (`language_model.model.layers.0`, `model.language_model.layers.0`), so that settings name its end.
 */

const towers = ["vision_tower", "multi_modal_projector", "language_model"] as const

/** The end of a module's name that all spellings share. */
export const tailOf = (module: string): string => module.replace(/^language_model\.model\./, "")

/** Tails of modules; where all Linears of a tower are meant, the tower alone. */
export const compactNames = (modules: readonly string[], all: readonly string[]): readonly string[] =>
  towers.flatMap((tower) => {
    const of = (names: readonly string[]) => names.filter((name) => name.startsWith(`${tower}.`))
    const chosen = of(modules)
    return chosen.length > 1 && chosen.length === of(all).length ? [tower] : chosen.map(tailOf)
  })

/** A regular expression for the name of one module, or of all below a tower, however it begins. */
export const patternOf = (name: string): string => {
  const escaped = name.replaceAll(".", "\\.")
  return (towers as readonly string[]).includes(name) ? `.*${escaped}\\..*` : `.*${escaped}$`
}
