/** What a stage expects before any work: what stands in its way, and what it will take. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"

/** Something that would make the stage fail, and what to do about it; left out where the issue says that, too. */
export interface Obstacle {
  readonly issue: string
  readonly fix?: string
}

/** `issue; fix` */
export const obstacleText = ({ issue, fix }: Obstacle): string => (fix === undefined ? issue : `${issue}; ${fix}`)

/** What an error stands in the way of: its message says what to do. */
export const obstacleOf = (error: unknown): Obstacle => ({
  issue: error instanceof Error ? error.message : String(error)
})

/** How long a stage takes, and what is told of that. */
export interface Time {
  /** Undefined when unknown. */
  readonly seconds: number | undefined
  readonly lines: ReadonlyArray<string>
}

export interface LargestTensor {
  readonly tensor: string
  readonly bytes: number
}

export interface Forecast {
  readonly obstacles: ReadonlyArray<Obstacle>
  /** Most memory in use at one time, in bytes; in a plan for a device with a memory of its own, of the host's alone. */
  readonly memoryBytes: number
  /** What of it is tensors, which lie on a device where one computes; left out where a stage does not know. */
  readonly tensorBytes?: number
  /** The largest tensor of the stage, by what it is: a device may not bind it. */
  readonly largest?: LargestTensor
  /** What a plan makes of `tensorBytes` for a device: bytes of its memory. */
  readonly deviceBytes?: number
  /** Size of one saved state. Three of them exist at the worst moment: previous, newest, and the one being written. */
  readonly checkpointBytes: number
  /** What the finished stage keeps on disk, in bytes. */
  readonly outputBytes: number
  /** Files that exist only while the stage works, in bytes. */
  readonly scratchBytes: number
  /** Expected time, undefined when unknown. */
  readonly seconds: number | undefined
  /** Finds the expected time, where that takes a while: a plan asks for it, a run does not. */
  readonly time?: Effect.Effect<Time, never, FileSystem.FileSystem | Path.Path>
  /** Lines for a person: layers, rules, bits. */
  readonly lines: ReadonlyArray<string>
}

/** The forecast with its time found, and told after everything else. */
export const timed = ({ time, ...forecast }: Forecast) =>
  time === undefined
    ? Effect.succeed<Forecast>(forecast)
    : Effect.map(
        time,
        ({ seconds, lines }): Forecast => ({ ...forecast, seconds, lines: [...forecast.lines, ...lines] })
      )

/** A forecast from the parts that are known. */
export const make = (parts: Partial<Forecast>): Forecast => ({
  obstacles: [],
  memoryBytes: 0,
  checkpointBytes: 0,
  outputBytes: 0,
  scratchBytes: 0,
  seconds: undefined,
  lines: [],
  ...parts
})

/** An obstacle for each file or directory that is not there. */
export const missingFiles = (paths: ReadonlyArray<string>, fix: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const missing = yield* Effect.filter(paths, (path) =>
      Effect.match(fs.exists(path), { onSuccess: (exists) => !exists, onFailure: () => true })
    )
    return missing.map((path): Obstacle => ({ issue: `${path} does not exist or cannot be read`, fix }))
  })

/** An obstacle for each size that `divisor` does not divide, for example the columns of every layer by the group. */
export const indivisible = (
  what: string,
  divisor: number,
  sizes: ReadonlyArray<{ readonly name: string; readonly size: number }>
): ReadonlyArray<Obstacle> =>
  sizes
    .filter(({ size }) => size % divisor !== 0)
    .map(({ name, size }) => ({
      issue: `${name} has ${size}, which ${what} ${divisor} does not divide (${size % divisor} left over)`,
      fix: `choose a ${what} that divides ${size}, or another rule for ${name}`
    }))
