/** Files that coordinator and runners hand to each other, in a folder of the run's directory. */
import { join } from "node:path"
import { runnersName } from "@speedq/pipeline"
import type { ShardRequest } from "./ShardUnit.ts"

export const exchangeOf = (run: string): string => join(run, runnersName, "exchange")

/** Names begin with the step, so that what is no longer needed is known. */
const stepName = (key: string, step: number): string => `${key.slice(0, 8)}-step-${String(step).padStart(8, "0")}`

export const parametersName = (key: string, step: number): string => `${stepName(key, step)}-parameters.safetensors`

/** Each runner writes under a name of its own: two may compute one unit, and neither must touch the other's file. */
export const sumsName = ({ key, step, shard }: Pick<ShardRequest, "key" | "step" | "shard">, runner: string): string =>
  `${stepName(key, step)}-shard-${String(shard).padStart(4, "0")}-${runner.replaceAll(/[^\w.-]/g, "_")}.safetensors`

/**
 * Whether a file belongs to another step: the coordinator asks for one step after the other. What a killed process had only begun to
 * write (`.NAME.PID.tmp`) belongs to its step, too.
 */
export const isOfOtherStep = (name: string, key: string, step: number): boolean =>
  /^\.?[0-9a-f]{8}-step-\d{8}-/.test(name) && !name.replace(/^\./, "").startsWith(`${stepName(key, step)}-`)
