/** Files that coordinator and runners hand to each other, in a folder of the run's directory. */
import { join } from "node:path"
import { runnersName } from "@speedq/pipeline"

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

/** The list of a run's files that runners need for the units of a batch. */
export const listName = (prefix: string): string => `${prefix}-files.json`

/** What the names of files begin with that runners have sent. */
export const sentPrefix = (prefix: string): string => `${prefix}-sent-`
