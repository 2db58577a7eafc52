/** Files that coordinator and runners hand to each other, in a folder of the run's directory. */
import { join } from "node:path"
import { runnersName, type UnitFiles } from "@speedq/pipeline"
import * as Effect from "effect/Effect"

export const exchangeOf = (run: string): string => join(run, runnersName, "exchange")

const plain = (name: string): string => name.replaceAll(/[^\w.-]/g, "_")

/** Files of a batch begin with this, so that what is no longer needed is known: `01234567-step-00000012`. */
export const batchPrefix = (key: string, batch: string): string => `${key.slice(0, 8)}-${batch}`

/** The name of a file of a batch, whose own name is of these parts. */
export const fileName = (prefix: string, ...parts: readonly string[]): string =>
  `${[prefix, ...parts.map(plain)].join("-")}.safetensors`

/**
 * Whether a file belongs to a batch other than that of `prefix`: the coordinator asks for one after the other. What a killed process had
 * only begun to write (`.NAME.PID.tmp`) belongs to its batch, too.
 */
export const isOfOtherBatch = (name: string, prefix?: string): boolean =>
  /^\.?[0-9a-f]{8}-[a-z]+-\d{8}-/.test(name) && !(prefix && name.replace(/^\./, "").startsWith(`${prefix}-`))

/**
 * The files of a batch: of the coordinator without `owner`, else of a unit on a runner. Each runner writes under a name of its own: two may
 * compute one unit, and neither must touch the other's file.
 */
export const exchangedFiles = (run: string, prefix: string, owner: readonly string[] = []): UnitFiles => ({
  write: (name, write) => {
    const file = fileName(prefix, ...owner, name)
    return Effect.map(write(join(exchangeOf(run), file)), ({ bytes, sha256 }) => ({ file, bytes, sha256 }))
  },
  // No path: what is in a database leads to no other folder.
  pathOf: ({ file }) =>
    /^[\w-][\w.-]*$/.test(file)
      ? Effect.succeed(join(exchangeOf(run), file))
      : Effect.fail(new Error(`"${file}" is no name of an exchanged file`))
})
