/** The machine that this runs on, as Node knows it. */
import { readFileSync } from "node:fs"
import { availableParallelism, totalmem } from "node:os"
import { setFlagsFromString } from "node:v8"

export const platform: string = process.platform

/** A variable of the environment. */
export const variable = (name: string): string | undefined => process.env[name]

export const countCores = (): number => availableParallelism()

/** Bytes of memory that this machine or its container has. */
export const countMemory = (): number => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)

/** What Linux says of its processors; empty elsewhere. */
export const readProcessors = (): string => {
  try {
    return readFileSync("/proc/cpuinfo", "utf8")
  } catch {
    return ""
  }
}

/** Switches a part of V8 on, in this thread. */
export const setEngineFlag = (flag: string): void => setFlagsFromString(flag)
