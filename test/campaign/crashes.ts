/**
 * Losses of power at every operation of a recorded run. Every state that the disk may be in is read by the engine's own code: what was
 * said to be saved must be there. One state in forty is written to files, and a run goes on with it: it must end with the same bytes.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Campaign } from "./Campaign.ts"
import { Random } from "./Random.ts"
import { emptyDirectory, lost, wrongAfter } from "./runs.ts"
import { Disk, type Image, isRandom, type Loss, losses, placesOf } from "./storage/Disk.ts"
import { type Moment, recordedRun } from "./storage/recording.ts"
import { StandingReader } from "./storage/standing.ts"

const wholeRunEvery = 40
const runName = "run"

/** Loss number `at` of an operation: each kind in turn, then those that may differ. */
const lossOf = (at: number, turn: number): Loss => {
  if (turn < losses.length) return losses[(at + turn) % losses.length]!
  return losses.filter(isRandom)[turn % 2]!
}

const goOn = async (campaign: Campaign, image: Image, moment: Moment): Promise<string | undefined> => {
  const root = emptyDirectory(campaign.scratch, "crashed")
  for (const [path, bytes] of placesOf(image, root)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
  }
  return wrongAfter(campaign.scratch, join(root, runName), moment.promised)
}

/** State number `at` is after operation `at` modulo their number; in its turn comes each kind of loss, then those that differ by chance. */
export const crashes = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const root = emptyDirectory(campaign.scratch, "recorded")
  const moments = await recordedRun(root, join(root, runName))
  const places = new Set(moments.flatMap(({ promised }) => [...promised.keys()]))
  campaign.say(`crashes: a run of ${moments.length} operations on ${places.size} stages is recorded`)
  const reader = new StandingReader(join(campaign.scratch, "image"))
  const tried = new Set<string>()
  const disk = new Disk(root)

  /** The states in the order of their operations: the disk goes on by one operation at a time. */
  function* cases(): Generator<number> {
    for (const [index, { operation }] of moments.entries()) {
      disk.apply(operation)
      const first = index + moments.length * Math.max(0, Math.ceil((from - index) / moments.length))
      for (let at = first; at < from + count; at += moments.length) yield at
    }
  }

  await campaign.each("crashes", cases(), count, async (at) => {
    const index = at % moments.length
    const moment = moments[index]!
    const loss = lossOf(index, Math.floor(at / moments.length))
    const image = disk.after(loss, new Random(campaign.seed, at))
    const missing = lost(moment.promised, await reader.read(image, runName, places))
    const signature = reader.signature(image)
    const isNew = !tried.has(signature)
    tried.add(signature)
    const runs = missing === undefined && isNew && (count === 1 || tried.size % wholeRunEvery === 0)
    const wrong = runs ? await goOn(campaign, image, moment) : missing
    if (wrong === undefined) return
    const { kind, path } = moment.operation
    campaign.failed(
      "lost",
      "crashes",
      at,
      wrong,
      `power lost after ${kind} ${path}; of what was not flushed: ${loss} lost`,
      image
    )
  })
  campaign.say(`crashes: ${tried.size} different states; a run went on with one in ${wholeRunEvery} of them`)
}
