/** Names that people give to recipes, ablations and variants: free text, after which directories are called. */
import * as Schema from "effect/Schema"

/** What a directory is called after a name: letters, digits, dots and lines stay. */
export const directoryName = (name: string): string => name.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")

/** The same for names whose directories are one on a file system that does not tell upper from lower case. */
export const sameDirectory = (one: string, other: string): boolean =>
  directoryName(one).toLowerCase() === directoryName(other).toLowerCase()

/** Devices, which Windows finds under these names in every directory. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

const problemOf = (name: string): string | undefined => {
  const quoted = JSON.stringify(name)
  if (/\p{Cc}/u.test(name)) return `${quoted} has control characters; leave them out`
  const directory = directoryName(name)
  if (!/[\p{L}\p{N}]/u.test(directory)) return `no directory can be called after ${quoted}; give it a letter or a digit`
  return device.test(directory) ? `${quoted} is a device on Windows; add a word to it` : undefined
}

/** A name that a directory can be called after, on every system. That it is not empty comes last: descriptions go to the last check. */
export const Name = Schema.String.check(
  Schema.makeFilter((name) => name === "" || (problemOf(name) ?? true)),
  Schema.isNonEmpty()
)
