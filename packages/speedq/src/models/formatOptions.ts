/** Options of export formats from the command line: NAME=VALUE, the value JSON where it is JSON and a text elsewhere. */
import { jsonOrText } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type { JsonObject } from "effect/Schema"
import { WrongUsage } from "../Errors.ts"

/**
 * The options of each format: NAME=VALUE is one of all formats, FORMAT.NAME=VALUE of that one. Fails with WrongUsage for what is not
 * NAME=VALUE.
 */
export const formatOptions = (
  formats: readonly string[],
  written: readonly string[],
  help: string
): Effect.Effect<ReadonlyMap<string, JsonObject>, WrongUsage> => {
  const wrong = written.filter((option) => option.indexOf("=") <= 0)
  if (wrong.length > 0) {
    return Effect.fail(
      new WrongUsage({ problems: wrong.map((option) => `--with ${option}: expected NAME=VALUE`), help })
    )
  }
  const parsed = written.map((option) => {
    const at = option.indexOf("=")
    return [option.slice(0, at), jsonOrText(option.slice(at + 1))] as const
  })
  const optionsOf = (format: string): JsonObject => {
    const isOther = (name: string) => formats.some((other) => other !== format && name.startsWith(`${other}.`))
    const own = (name: string) => (name.startsWith(`${format}.`) ? name.slice(format.length + 1) : name)
    return Object.fromEntries(
      parsed.filter(([name]) => !isOther(name)).map(([name, value]) => [own(name), value] as const)
    )
  }
  return Effect.succeed(new Map(formats.map((format) => [format, optionsOf(format)])))
}
