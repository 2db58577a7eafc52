/** Modules by what a quantization's settings say of them: bits and group. */
import type { IntegerModule } from "./IntegerLayout.ts"

export const settingsOf = ({ bits, group }: IntegerModule): string => `${bits} bits, groups of ${group}`

/** Modules of the same settings, the largest number of modules first. */
export const bySettings = (modules: readonly IntegerModule[]): readonly (readonly IntegerModule[])[] => {
  const settings = [...new Set(modules.map(settingsOf))]
  return settings
    .map((each) => modules.filter((module) => settingsOf(module) === each))
    .toSorted((a, b) => b.length - a.length)
}

/** One of those whose settings most modules have. */
export const mostCommon = (modules: readonly IntegerModule[]): IntegerModule => bySettings(modules)[0]![0]!
