/** Everything that a command line lacks, at once: effect names the first alone. */
import * as CliError from "effect/cli/CliError"
import type { HelpDoc } from "effect/cli/HelpDoc"

/** The names of the flags that are given, and how many arguments stand between them. */
const given = (doc: HelpDoc, args: readonly string[]) => {
  const all = [...doc.flags, ...(doc.inheritedFlags ?? []), ...(doc.globalFlags ?? [])]
  const flags = new Set<string>()
  let [positional, at] = [0, 0]
  while (at < args.length) {
    const arg = args[at++]!
    if (arg === "--") return { flags, positional: positional + args.length - at }
    if (!/^-./.test(arg)) {
      positional++
      continue
    }
    const name = arg.replace(/=.*$/s, "")
    const flag = all.find((each) => name === `--${each.name}` || each.aliases.includes(name))
    if (flag !== undefined) flags.add(flag.name)
    // The next word is its value.
    if (flag !== undefined && flag.type !== "boolean" && !arg.includes("=")) at++
  }
  return { flags, positional }
}

/** One message for each required argument and flag of the command that `args`, the words behind its name, do not have. */
export const missingIn = (doc: HelpDoc, args: readonly string[]): readonly string[] => {
  const { flags, positional } = given(doc, args)
  const needed = doc.args?.filter(({ required }) => required) ?? []
  return [
    ...needed.slice(positional).map(({ name }) => new CliError.MissingArgument({ argument: name })),
    ...doc.flags
      .filter(({ name, required }) => required && !flags.has(name))
      .map(({ name }) => new CliError.MissingOption({ option: name }))
  ].map(({ message }) => message)
}
