/** The entities that a run hands its units to: one for each shard of the cluster, so that any runner can be chosen. */
import { createHash } from "node:crypto"
import * as EntityAddress from "effect/cluster/EntityAddress"
import type { EntityId } from "effect/cluster/EntityId"
import type * as Runner from "effect/cluster/Runner"
import type * as Sharding from "effect/cluster/Sharding"
import { shardsPerGroup, sharesOf } from "../units/placement.ts"
import { UnitOfWork } from "../units/UnitOfWork.ts"

export interface Place {
  readonly id: EntityId
  readonly address: EntityAddress.EntityAddress
}

/** An entity in each shard of the group, by the shard's number. Two runs have other ones. */
export const placesOf = (
  sharding: Sharding.Sharding["Service"],
  group: string,
  run: string
): ReadonlyMap<number, Place> => {
  const own = createHash("sha256").update(run).digest("hex").slice(0, 8)
  const places = new Map<number, Place>()
  for (let attempt = 0; places.size < shardsPerGroup; attempt++) {
    const id = `${group}/${own}/${attempt}` as EntityId
    const shardId = sharding.getShardId(id, group)
    if (places.has(shardId.id)) continue
    const address = EntityAddress.make({ shardId, entityId: id, entityType: UnitOfWork.type })
    places.set(shardId.id, { id, address })
  }
  return places
}

/** A unit's place while it is under way. */
export interface Taken {
  readonly place: Place
  /** The runner that has it by now: which one has which place is the cluster's to say, and a wrong guess costs balance alone. */
  readonly runner: string
}

/** Gives units places, so that runners have as many as each other, and no place has two while another one of its runner has none. */
export const placeKeeper = (places: ReadonlyMap<number, Place>) => {
  const taken: Taken[] = []
  const unitsAt = (place: Place) => taken.filter((each) => each.place === place).length
  const least = <A>(all: readonly A[], count: (each: A) => number): A | undefined => {
    const lowest = Math.min(...all.map(count))
    return all.find((each) => count(each) === lowest)
  }
  return {
    /** Undefined where there is no runner. */
    take: (runners: readonly Runner.Runner[]): Taken | undefined => {
      const shares = sharesOf(runners).map((share, at) => ({ share, runner: runners[at]!.address.host }))
      const able = shares.filter(({ share }) => share.length > 0)
      const chosen = least(able, ({ runner }) => taken.filter((each) => each.runner === runner).length)
      const place = chosen && least(chosen.share, (number) => unitsAt(places.get(number)!))
      if (chosen === undefined || place === undefined) return undefined
      const found: Taken = { place: places.get(place)!, runner: chosen.runner }
      taken.push(found)
      return found
    },
    /** Whether nothing is under way at its place any more. */
    giveBack: (back: Taken): boolean => {
      const at = taken.indexOf(back)
      if (at >= 0) taken.splice(at, 1)
      return unitsAt(back.place) === 0
    }
  }
}
