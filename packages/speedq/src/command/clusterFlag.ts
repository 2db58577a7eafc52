/** `--cluster`: where a run and its runners meet. */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"

/** Where the flag is not given: a password in a command line is seen by everyone who lists processes. */
const fromEnvironment = (): Option.Option<string> => Option.fromNullishOr(process.env["SPEEDQ_CLUSTER"])

export const clusterFlag = (description: string) =>
  Flag.String("cluster").pipe(
    Flag.withMetavar("DIR|postgres://..."),
    Flag.withDescription(`${description}; default: the environment's SPEEDQ_CLUSTER`),
    Flag.optional,
    Flag.map(Option.orElse(fromEnvironment))
  )

const isUrl = (cluster: string): boolean => cluster.includes("://")

/** A directory is told from where the command was given. */
export const clusterAt = (cluster: string, path: (given: string) => string): string =>
  isUrl(cluster) ? cluster : path(cluster)

/** A command line without the password in it, for records: before the last @ of an address, or in its `password=`. */
export const withoutPassword = (command: string): string =>
  command.replaceAll(/(:\/\/[^:/@\s]*):\S+@/g, "$1:...@").replaceAll(/([?&]password=)[^&\s'"]+/g, "$1...")
