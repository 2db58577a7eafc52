/** The `speedq` command as a value, for programs that embed it. */
export { NoRun, OutputExists, RecipeMissing, RecipeUnreadable, WrongUsage } from "./Errors.ts"
export { type RandomModel, writeRandomModel } from "./init/writeRandomModel.ts"
export { runCommandLine, speedq } from "./speedq.ts"
