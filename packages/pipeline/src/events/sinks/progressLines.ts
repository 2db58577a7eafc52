/** The two lines that show how far a run is, cut to the width of the terminal: what matters least goes first. */
import { printableLine } from "@speedq/formats"
import { leftAtRate, type StagePart, wholeRun } from "../../plan/wholeRun.ts"
import { formatBytes, formatDuration, formatNumber } from "../../text/format.ts"

/** How far the running stage is; times are monotonic, in milliseconds. */
export interface StageProgress {
  readonly stage: string
  readonly from: number
  readonly startedAt: number
  readonly step: number
  readonly steps: number
  readonly at: number
  readonly loss: number | undefined
  readonly unit: string
}

/** How far the run is. `seconds` are what its stages were expected to take, by place. */
export interface RunProgress {
  readonly places: ReadonlyArray<string>
  readonly seconds: { readonly [place: string]: number }
  readonly finished: ReadonlySet<string>
  readonly startedAt: number
}

/** A part of a line, and how readily it is left out: 0 never. */
type Part = readonly [text: string | undefined, rank: number]

/** Parts of a line, as many as fit. */
const fitted = (parts: ReadonlyArray<Part>, width: number): string => {
  let kept = parts.filter(([text]) => text !== undefined)
  const line = () => kept.map(([text]) => text).join("  ")
  while (line().length > width) {
    const last = Math.max(...kept.map(([, rank]) => rank))
    if (last === 0) break
    kept = kept.filter(([, rank]) => rank !== last)
  }
  return line().slice(0, width)
}

/** Columns from which on a long bar leaves room for all that a stage tells. */
const wide = 110

const bar = (share: number, width: number): string => {
  const cells = width < wide ? 8 : 24
  const filled = Math.round(share * cells)
  return `[${"█".repeat(filled)}${"-".repeat(cells - filled)}]`
}
const percent = (share: number): string => `${String(Math.floor(share * 100)).padStart(3)} %`
const shareOf = ({ step, steps }: StageProgress): number => (steps === 0 ? 1 : step / steps)

/** Average since the stage was started or continued. */
export const leftOf = ({ from, startedAt, step, steps, at }: StageProgress): number | undefined =>
  leftAtRate(at - startedAt, step - from, steps - step)

const formatRate = (millisecondsPerStep: number, unit: string): string =>
  millisecondsPerStep < 1000
    ? `${formatNumber(1000 / millisecondsPerStep)} ${unit}s/s`
    : `${formatDuration(millisecondsPerStep)}/${unit}`

/** `02-qat  [██████------]  50 %  100/200  3.2 steps/s  31.0 s left  loss 1.25`. */
export const stageLine = (progress: StageProgress, width: number): string => {
  const { stage, from, startedAt, step, steps, at, loss, unit } = progress
  const [share, left] = [shareOf(progress), leftOf(progress)]
  return fitted(
    [
      [printableLine(stage), 0],
      [bar(share, width), 6],
      [percent(share), 1],
      [`${step}/${steps}`, 3],
      [left === undefined ? undefined : formatRate((at - startedAt) / (step - from), unit), 4],
      [left === undefined ? undefined : `${formatDuration(left)} left`, 2],
      [loss === undefined ? undefined : `loss ${formatNumber(loss)}`, 5]
    ],
    width
  )
}

const partsOf = ({ places, seconds, finished }: RunProgress, stage: StageProgress): readonly StagePart[] =>
  places.map((place) => {
    if (finished.has(place)) return { share: 1, seconds: seconds[place] }
    if (place !== stage.stage) return { share: 0, seconds: seconds[place] }
    return { share: shareOf(stage), seconds: seconds[place], left: leftOf(stage) }
  })

/** Milliseconds left of the whole run; undefined where the times of stages to come are unknown. */
export const leftOfRun = (run: RunProgress, stage: StageProgress): number | undefined =>
  wholeRun(partsOf(run, stage)).left

/**
 * `run  [███-------]  31 %  stage 4/12  5 min 10 s left  1.2 GiB`. Without the times of all stages there is no share, and as long as those
 * of the stages to come are unknown, no time left.
 */
export const runLine = (run: RunProgress, stage: StageProgress, memoryBytes: number, width: number): string => {
  const { share, left } = wholeRun(partsOf(run, stage))
  return fitted(
    [
      ["run", 0],
      [share === undefined ? undefined : bar(share, width), 5],
      [share === undefined ? undefined : percent(share), 1],
      [`stage ${run.places.indexOf(stage.stage) + 1}/${run.places.length}`, 3],
      [left === undefined ? undefined : `${formatDuration(left)} left`, 2],
      [`${formatDuration(stage.at - run.startedAt)} so far`, left === undefined ? 2 : 6],
      [formatBytes(memoryBytes), 4]
    ],
    width
  )
}
