/** The process: `speedq` with the arguments it was started with. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { runMain } from "@speedq/pipeline"
import { Debugging } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { runCommandLine } from "../command/speedq.ts"

const args = process.argv.slice(2)
const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args
const debug = own.includes("--debug")
runMain(runCommandLine(args).pipe(Effect.provide(NodeServices.layer), Effect.provideService(Debugging, debug)), {
  debug
})
