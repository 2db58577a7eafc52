/** How many units each runner has computed, and the run itself: the table that `speedq status` shows. */
import { monotonicMillis, type RunnerShare, writeRunners } from "@speedq/pipeline"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { clusterName } from "../storage/storageLayer.ts"
import type { UnitReply } from "../units/UnitOfWork.ts"
import type { Coordinated } from "./Coordinated.ts"

export const keepTally = ({ cluster, run }: Coordinated) => {
  const shares = new Map<string, RunnerShare>()
  let here = 0
  let writtenAt = Number.NEGATIVE_INFINITY
  const write = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const table = { cluster: clusterName(cluster), at, here, runners: [...shares.values()] }
    yield* writeRunners(run, table)
    // A table for people: that it cannot be written is no reason to stop.
  }).pipe(Effect.ignore)
  const set = (share: Pick<RunnerShare, "name" | "backend"> & Partial<RunnerShare>) => {
    const { units, milliseconds } = shares.get(share.name) ?? { units: 0, milliseconds: 0 }
    shares.set(share.name, { units, milliseconds, present: true, ...share })
  }
  return {
    set,
    absent: (names: ReadonlySet<string>) => {
      for (const [name, share] of shares) if (!names.has(name)) shares.set(name, { ...share, present: false })
    },
    count: ({ runner: name, backend, milliseconds }: Omit<UnitReply, "output">) => {
      // One that answered before this run was continued may have gone.
      const share = shares.get(name) ?? { name, backend, present: false, units: 0, milliseconds: 0 }
      set({ ...share, units: share.units + 1, milliseconds: share.milliseconds + milliseconds })
    },
    countHere: () => {
      here++
    },
    write,
    writeNow: Effect.gen(function* () {
      const now = yield* monotonicMillis
      if (now - writtenAt < 2000) return
      writtenAt = now
      yield* write
    })
  }
}

export type RunnerTally = ReturnType<typeof keepTally>
