/** A run that failed in its second stage and was continued: saves, results, an end in the middle, a beginning upon what is there. */
import { join } from "node:path"
import type { Campaign } from "../../Campaign.ts"
import { emptyDirectory, lost, nothingTold, runToyHere, wrongAfter } from "../../runs.ts"
import type { Recorded } from "../Recorded.ts"
import { record } from "../recording.ts"
import { StandingReader } from "../standing.ts"

const name = "run"

/** What was said to be saved must be there; a run that goes on ends with the same bytes. */
export const recordedRun = async ({ scratch }: Campaign): Promise<Recorded> => {
  const root = emptyDirectory(scratch, "recorded-run")
  const directory = join(root, name)
  const told = nothingTold()
  const moments = await record(
    root,
    () => new Map(told.acknowledged),
    async () => {
      await runToyHere(directory, told, { failAt: { label: "toy-projector", step: 4 } })
      const { error } = await runToyHere(directory, told)
      if (error !== undefined) throw error
    }
  )
  const places = new Set(moments.flatMap(({ promised }) => [...promised.keys()]))
  const reader = new StandingReader(join(scratch, "image"))
  const promisedAt = (index: number) => moments[index]!.promised
  return {
    name,
    root,
    operations: moments.map(({ operation }) => operation),
    wrong: async (image, index) => lost(promisedAt(index), await reader.read(image, name, places)),
    wrongAfter: (image, index) => wrongAfter(scratch, join(image, name), promisedAt(index)),
    goesOnEvery: 40
  }
}
