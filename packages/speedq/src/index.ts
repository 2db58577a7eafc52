/** The `speedq` command as a value, for programs that embed it. */

export { runCommandLine, speedq } from "./command/speedq.ts"
export { NoRun, OutputExists, RecipeMissing, RecipeUnreadable, WrongUsage } from "./Errors.ts"
export { type RandomModel, writeRandomModel } from "./init/writeRandomModel.ts"
