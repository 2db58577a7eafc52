/**
 * Losses of power at every operation of recorded work: a run, the journal of an evaluation, exports. Every state that the disk may be
 * in is read by the code that wrote it: what was promised must be there. One state in some is written to files, and the work goes on
 * with it: it must end as if nothing had happened.
 */
import type { Campaign } from "./Campaign.ts"
import { Random } from "./Random.ts"
import { emptyDirectory } from "./runs.ts"
import { Disk, type Image, isRandom, type Loss, losses, writeImage } from "./storage/Disk.ts"
import type { Recorded } from "./storage/Recorded.ts"
import { recordedExport } from "./storage/recorded/export.ts"
import { recordedJournal } from "./storage/recorded/journal.ts"
import { recordedRun } from "./storage/recorded/run.ts"
import { Signatures } from "./storage/Signatures.ts"

/** Loss number `at` of an operation: each kind in turn, then those that may differ. */
const lossOf = (at: number, turn: number): Loss => {
  if (turn < losses.length) return losses[(at + turn) % losses.length]!
  return losses.filter(isRandom)[turn % 2]!
}

/** State number `at` is after operation `at` modulo their number; in its turn comes each kind of loss, then those that differ by chance. */
export const crashes = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const works: Recorded[] = []
  for (const recorded of [recordedRun, recordedJournal, recordedExport]) works.push(await recorded(campaign))
  const moments = works.flatMap((work) => work.operations.map((operation, index) => ({ work, operation, index })))
  for (const { name, operations } of works)
    campaign.say(`crashes: ${operations.length} operations of ${name} are recorded`)
  const signatures = new Signatures()
  const tried = new Map(works.map((work) => [work, new Set<string>()]))
  let disk: Disk

  /** The states in the order of their operations: the disk goes on by one operation at a time. */
  function* cases(): Generator<number> {
    for (const [at, { work, operation, index }] of moments.entries()) {
      if (index === 0) disk = new Disk(work.root)
      disk.apply(operation)
      const first = at + moments.length * Math.max(0, Math.ceil((from - at) / moments.length))
      for (let state = first; state < from + count; state += moments.length) yield state
    }
  }

  /** Whether work goes on with an image: with some of those that it has not seen before. */
  const goesOn = (work: Recorded, image: Image): boolean => {
    const known = tried.get(work)!
    const before = known.size
    known.add(signatures.of(image))
    return known.size > before && (count === 1 || known.size % work.goesOnEvery === 0)
  }

  await campaign.each("crashes", cases(), count, async (at) => {
    const { work, operation, index } = moments[at % moments.length]!
    const loss = lossOf(at % moments.length, Math.floor(at / moments.length))
    const image = disk.after(loss, new Random(campaign.seed, at))
    let wrong = await work.wrong(image, index, loss)
    if (wrong === undefined && goesOn(work, image)) {
      const directory = emptyDirectory(campaign.scratch, "crashed")
      writeImage(image, directory)
      wrong = await work.wrongAfter(directory, index)
    }
    if (wrong === undefined) return
    const { kind, path } = operation
    const details = `power lost after ${kind} ${path}; of what was not flushed: ${loss} lost`
    campaign.failed("lost", "crashes", at, `${work.name}: ${wrong}`, details, image)
  })
  const states = works.map(
    (work) => `${tried.get(work)!.size} of ${work.name}, one in ${work.goesOnEvery} gone on with`
  )
  campaign.say(`crashes: different states: ${states.join("; ")}`)
}
