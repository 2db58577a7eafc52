/** What every model directory has: the statistics that its pixels are normalized with. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { imagenetStatistics } from "../src/index.ts"

export const writeStatistics = (directory: string): void => {
  const { mean, std } = imagenetStatistics
  writeFileSync(join(directory, "preprocessor_config.json"), JSON.stringify({ image_mean: mean, image_std: std }))
}
