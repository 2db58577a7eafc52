/** The `speedq` command: its subcommands, and how a command line becomes an effect. */
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import type { HelpDoc } from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import { WrongUsage } from "../Errors.ts"
import { CommandLine, continuation, tellingHowToContinue } from "./commandLine.ts"
import { chat } from "./commands/chat.ts"
import { clean } from "./commands/clean.ts"
import { compare } from "./commands/compare.ts"
import { create } from "./commands/create.ts"
import { data } from "./commands/data.ts"
import { doctor } from "./commands/doctor.ts"
import { evaluate } from "./commands/evaluate.ts"
import { exportCommand } from "./commands/export.ts"
import { init } from "./commands/init.ts"
import { merge } from "./commands/merge.ts"
import { plan } from "./commands/plan.ts"
import { run } from "./commands/run.ts"
import { score } from "./commands/score.ts"
import { serve } from "./commands/serve.ts"
import { status } from "./commands/status.ts"
import { worker } from "./commands/worker.ts"
import { off } from "./flags.ts"
import { missingIn } from "./missing.ts"
import { presenter } from "./presenter.ts"
import { version } from "./version.ts"

/** Read by `main` before anything else, since a command line can be wrong; declared here for help and completions. */
const Debug = GlobalFlag.Setting("debug")({ flag: off("debug", "print stacks and causes of a failure") })

const speedq = Command.make("speedq").pipe(
  Command.withDescription(
    "SPEED-Q: quantizes InternVL3 models of 1 to 2 billion parameters to 2 or 4 bits, in stages that can be interrupted and continued."
  ),
  Command.withExamples([
    { command: "speedq doctor", description: "what this machine offers" },
    { command: "speedq plan nano-2bit", description: "what a recipe will do, before it does anything" },
    { command: "speedq run nano-2bit --out runs/nano", description: "do it; the same command continues" },
    { command: 'eval "$(speedq --completions bash)"', description: "completions for this shell" }
  ]),
  Command.withSubcommands([
    { group: "Quantize", commands: [run, worker, plan, data, status, clean, exportCommand] },
    { group: "Use and judge models", commands: [chat, serve, evaluate, merge, score, compare] },
    { group: "Begin", commands: [create, doctor, init] }
  ]),
  Command.withGlobalFlags([Debug])
)

const isMissing = ({ _tag }: CliError.NonShowHelpErrors) => _tag === "MissingOption" || _tag === "MissingArgument"

/** What is wrong with a command line, as one failure with exit code 2. `doc` is the help of its command. */
const misuse = (
  { commandPath, errors }: CliError.ShowHelp,
  args: readonly string[],
  doc: HelpDoc | undefined
): WrongUsage => {
  const others = errors.filter((error) => !isMissing(error)).map(({ message }) => message)
  const lacks = doc !== undefined && errors.some(isMissing)
  const behind = args.slice(commandPath.slice(1).reduce((from, word) => args.indexOf(word, from) + 1, 0))
  const missing = lacks ? missingIn(doc, behind) : []
  return new WrongUsage({
    problems: errors.length === 0 ? ["which command?"] : [...others, ...missing],
    help: `${commandPath.join(" ")} --help`
  })
}

/** Commands that save on the way, and go on there. */
const continuing = ["run", "evaluate"]

/**
 * Runs a command line, `process.argv` without node and script. Fails with WrongUsage and with what the command fails with. Interrupted,
 * it says which command continues.
 */
export const runCommandLine = (args: readonly string[]) => {
  const running = runWith(args)
  return continuing.includes(args[0] ?? "") ? tellingHowToContinue(continuation(args))(running) : running
}

const runWith = (args: readonly string[]) =>
  Effect.suspend(() => {
    let doc: HelpDoc | undefined
    return Command.runWith(speedq, { version })(args).pipe(
      Effect.catchIf(
        (error): error is CliError.ShowHelp => error instanceof CliError.ShowHelp,
        (error) => misuse(error, args, doc)
      ),
      Effect.provideService(CommandLine, args),
      Effect.provideService(
        CliOutput.Presenter,
        presenter((told) => {
          doc = told
        })
      ),
      Effect.provideService(
        CliConfig.CliConfig,
        CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
      )
    )
  })
