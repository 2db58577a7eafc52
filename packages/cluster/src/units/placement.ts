/**
 * Which runner has which shard of the cluster. The cluster gives every shard of a group to one of its runners; which has which is the
 * cluster's to say: a wrong guess costs balance alone.
 */
import type * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as HashRing from "effect/HashRing"

/** Shards of the cluster in a group: enough to be shared out evenly. */
export const shardsPerGroup = 60

/** Numbers of the group's shards, from 1, that each runner has, as the cluster shares them out. */
export const sharesOf = (
  runners: readonly { readonly address: RunnerAddress.RunnerAddress; readonly weight: number }[]
): readonly (readonly number[])[] => {
  const ring = HashRing.make<RunnerAddress.RunnerAddress>()
  for (const { address, weight } of runners) HashRing.add(ring, address, { weight })
  const owners = HashRing.getShards(ring, shardsPerGroup) ?? []
  return runners.map(({ address }) =>
    owners.flatMap((owner, at) => (owner.host === address.host && owner.port === address.port ? [at + 1] : []))
  )
}
