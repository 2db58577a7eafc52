/** Processes that run all stages of SPEED-Q on a tiny model. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { programOf } from "../../../packages/pipeline/test/support/program.ts"
import { eachStage, writeNanoModel } from "../../../packages/stages/test/support/nano.ts"
import { Victim } from "./victim.ts"

const program = fileURLToPath(new URL("../../../packages/stages/test/support/nanoRun.ts", import.meta.url))

/** Every stage of the paper, the exports and an evaluation. */
export const nanoVictim = async (scratch: string): Promise<Victim> => {
  const recipe = join(scratch, "nano.json")
  writeFileSync(recipe, JSON.stringify(eachStage(await writeNanoModel(join(scratch, "model")))))
  return new Victim("nano", programOf(program), recipe, /begins/)
}
