/** Flags of the commands that take a recipe. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { pathArgument, pathFlag } from "./pathParam.ts"

export const recipe = pathArgument("recipe", "either").pipe(
  Argument.withDescription(
    "recipe or ablation: the name of a shipped one, a JSON file, a module that exports a recipe, or the directory of a run; paths in it are relative to the current directory"
  )
)

export const directory = pathFlag("out", "DIR", "directory").pipe(
  Flag.withDescription("directory of the run; default: runs/NAME, with the name in the recipe"),
  Flag.optional
)
