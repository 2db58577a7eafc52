/** The command line that this program was started with, for the record of a run. */
import * as Context from "effect/Context"

/** Its arguments, without node and script. */
export const CommandLine = Context.Reference<ReadonlyArray<string>>("speedq/CommandLine", { defaultValue: () => [] })

/** An argument as a shell takes it. */
const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

/** `speedq run nano-2bit --set 'a=[1, 2]'`, to be copied into a shell. */
export const writtenCommand = (args: ReadonlyArray<string>): string => ["speedq", ...args.map(quoted)].join(" ")
