/** Options of an export format from the command line: NAME=VALUE, the value JSON where it is JSON and a text elsewhere. */
import { jsonOrText } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type { JsonObject } from "effect/Schema"
import { WrongUsage } from "../Errors.ts"

/** Fails with WrongUsage for what is not NAME=VALUE. */
export const formatOptions = (written: readonly string[], help: string): Effect.Effect<JsonObject, WrongUsage> => {
  const wrong = written.filter((option) => option.indexOf("=") <= 0)
  if (wrong.length > 0) {
    return Effect.fail(
      new WrongUsage({ problems: wrong.map((option) => `--with ${option}: expected NAME=VALUE`), help })
    )
  }
  return Effect.succeed(
    Object.fromEntries(
      written.map((option) => {
        const at = option.indexOf("=")
        return [option.slice(0, at), jsonOrText(option.slice(at + 1))]
      })
    )
  )
}
