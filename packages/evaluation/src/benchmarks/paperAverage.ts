/** The average that the paper's figures show: of the eight benchmarks whose score is a share of right answers, in percent. */
import { ai2dTest } from "./Ai2dTest.ts"
import { hallusionBench } from "./HallusionBench.ts"
import { mmbenchDevCnV11 } from "./MmbenchDevCnV11.ts"
import { mmbenchDevEnV11 } from "./MmbenchDevEnV11.ts"
import { mmmuDevVal } from "./MmmuDevVal.ts"
import { mmStar } from "./MmStar.ts"
import { scienceQaVal } from "./ScienceQaVal.ts"
import { seedBenchImg } from "./SeedBenchImg.ts"

// OCRBench, the ninth of the table, counts points from 0 to 1000.
/** Names of the eight. */
export const paperBenchmarks = [
  hallusionBench,
  ai2dTest,
  mmbenchDevEnV11,
  mmbenchDevCnV11,
  mmStar,
  mmmuDevVal,
  scienceQaVal,
  seedBenchImg
].map(({ name }) => name)

/**
 * Mean of the overall scores of the eight; undefined unless there is one score of each.
 *
 * @example paperAverage([{ benchmark: "MMStar", overall: 58.1 }, ...]) // 61.9
 */
export const paperAverage = (
  scores: ReadonlyArray<{ readonly benchmark: string; readonly overall: number }>
): number | undefined => {
  const found = paperBenchmarks.flatMap((name) => scores.filter(({ benchmark }) => benchmark === name))
  if (paperBenchmarks.some((name) => found.filter(({ benchmark }) => benchmark === name).length !== 1)) return undefined
  return found.reduce((sum, { overall }) => sum + overall, 0) / paperBenchmarks.length
}
