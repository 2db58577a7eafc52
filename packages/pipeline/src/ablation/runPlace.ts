/** Where below the ablation's directory a run is. */
import { directoryName } from "../directory/Name.ts"
import type { AblationRun } from "./Ablation.ts"

export const runPlace = ({ variant, seed }: Pick<AblationRun, "variant" | "seed">): string =>
  `${directoryName(variant)}/seed-${seed}`
