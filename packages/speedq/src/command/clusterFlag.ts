/** `--cluster`: where a run and its runners meet. */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { off } from "./flags.ts"

/** Where the flag is not given: a password in a command line is seen by everyone who lists processes. */
const fromEnvironment = (): Option.Option<string> => Option.fromNullishOr(process.env["SPEEDQ_CLUSTER"])

export const clusterFlag = (description: string) =>
  Flag.String("cluster").pipe(
    Flag.withMetavar("DIR|postgres://..."),
    Flag.withDescription(`${description}; default: the environment's SPEEDQ_CLUSTER`),
    Flag.optional,
    Flag.map(Option.orElse(fromEnvironment))
  )

/** Where files for runners are served over HTTP; undefined where they go through the run's directory. */
export const httpFlags = {
  overHttp: off("over-http", "hand files to runners over HTTP: they need not see the run's directory"),
  listen: Flag.String("listen").pipe(
    Flag.withMetavar("HOST:PORT"),
    Flag.withDescription(
      "where --over-http listens; default: a free port of 127.0.0.1. Beyond loopback SPEEDQ_TOKEN must be set, here and for the runners"
    ),
    Flag.optional
  )
}

/** What the flags mean. */
export const httpOf = ({ overHttp, listen }: { readonly overHttp: boolean; readonly listen: Option.Option<string> }) =>
  overHttp || Option.isSome(listen) ? { listen: Option.getOrUndefined(listen) } : undefined

const isUrl = (cluster: string): boolean => cluster.includes("://")

/** A directory is told from where the command was given. */
export const clusterAt = (cluster: string, path: (given: string) => string): string =>
  isUrl(cluster) ? cluster : path(cluster)

/** A command line without the password in it, for records: before the last @ of an address, or in its `password=`. */
export const withoutPassword = (command: string): string =>
  command.replaceAll(/(:\/\/[^:/@\s]*):\S+@/g, "$1:...@").replaceAll(/([?&]password=)[^&\s'"]+/g, "$1...")
