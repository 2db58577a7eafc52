/** `speedq worker`: computes units of work for runs elsewhere. */
import { resolve } from "node:path"
import { formatDuration } from "@speedq/pipeline"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { WrongUsage } from "../../Errors.ts"
import { clusterAt, clusterFlag } from "../clusterFlag.ts"
import { backend } from "../flags.ts"
import { givenHere } from "../givenHere.ts"
import { remark } from "../output.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

/** For the process that computes, which loads them itself. That they are read here, too, tells what is wrong with one before it joins. */
const pluginsAt = Effect.fnUntraced(function* (files: readonly string[]) {
  if (files.length === 0) return undefined
  const { pluginLoader: loader } = yield* Effect.promise(() => import("../../plugins/loadPlugins.ts"))
  return { loader, files: files.map((file) => resolve(file)) }
})

export const worker = Command.make(
  "worker",
  {
    cluster: clusterFlag("where runs and runners meet: a directory of this host, or a PostgreSQL database"),
    backend,
    plugins
  },
  Effect.fn("speedq worker")(function* ({ cluster, backend, plugins: files }) {
    if (Option.isNone(cluster)) {
      return yield* new WrongUsage({ problems: ["--cluster is missing"], help: "speedq worker --help" })
    }
    const { runWorker } = yield* Effect.promise(() => import("@speedq/cluster"))
    const context = yield* Effect.context<never>()
    const tell = (text: string) => Effect.runForkWith(context)(remark(text))
    const given = givenHere()
    yield* runWorker({
      cluster: clusterAt(cluster.value, given),
      backend,
      plugins: yield* pluginsAt(files),
      onNews: (news) => {
        if (news._tag === "Joined") {
          tell(`${news.runner} computes on ${news.identity.backend} by ${news.identity.build}; Ctrl-C ends it`)
          return
        }
        if (news._tag === "Away") {
          tell(`the cluster does not answer (${news.reason}); what this runner has goes to others until it does`)
          return
        }
        if (news._tag === "Back") {
          tell("the cluster answers again")
          return
        }
        const what = `${news.run}: ${news.unit}`
        tell(news._tag === "Computed" ? `${what} in ${formatDuration(news.milliseconds)}` : `${what}: ${news.reason}`)
      }
    })
  }, withPlugins)
).pipe(
  Command.withShortDescription("Compute for runs of other processes and machines"),
  Command.withDescription(
    "Joins a cluster and computes shards of training steps, questions of evaluations and whole runs of ablations for those who were started with the same --cluster, until it is stopped. It may join and leave at any time: what it had is computed by others, to the same bytes. It needs model and data under the paths that the run has, the run's directory too unless the run hands its files out (--over-http), the same version, the same backend and the same plugins; a run with --other-backends gives it all but training steps on another one, too. It listens on no port."
  ),
  Command.withExamples([
    { command: "speedq worker --cluster runs/cluster", description: "one more process of this host" },
    {
      command: "speedq worker --cluster runs/cluster --plugin ternary.ts",
      description: "for runs that were started with the same --plugin"
    },
    { command: "SPEEDQ_CLUSTER=postgres://speedq:secret@db/speedq speedq worker --backend native" }
  ])
)
