/** `speedq create`: a new project with a recipe in code. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import { json } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathArgument } from "../pathParam.ts"

export const create = Command.make(
  "create",
  {
    directory: pathArgument("directory", "directory").pipe(Argument.withDescription("a new or empty directory")),
    json
  },
  Effect.fn("speedq create")(function* ({ directory, json }) {
    const { createProject, describeProject } = yield* Effect.promise(() => import("../../create/createProject.ts"))
    const created = yield* createProject(directory)
    yield* json ? printJson(created) : print(describeProject(created))
  })
).pipe(
  Command.withShortDescription("Make a project with a recipe in code"),
  Command.withDescription(
    "Writes a recipe in code that runs as it is on the small model that comes with speedq, a folder for data with its format, a README, and what npm, TypeScript and git need. Nothing is installed or downloaded."
  ),
  Command.withExamples([
    { command: "speedq create my-model", description: "then npm install, npx speedq run recipe.ts" }
  ])
)
