/** The entities of a run: one for each shard of the cluster, so that any can be chosen. */
import { createHash } from "node:crypto"
import * as EntityAddress from "effect/cluster/EntityAddress"
import type { EntityId } from "effect/cluster/EntityId"
import type * as Sharding from "effect/cluster/Sharding"
import { shardsPerGroup } from "../units/placement.ts"
import { ShardUnit } from "../units/ShardUnit.ts"

interface Place {
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
    const address = EntityAddress.make({ shardId, entityId: id, entityType: ShardUnit.type })
    places.set(shardId.id, { id, address })
  }
  return places
}
