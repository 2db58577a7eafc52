/**
 * Which places units go to. The cluster gives every shard of a group to one of its runners; units are spread so that runners get as many
 * as each other, and which runner has which shard is the cluster's to say: a wrong guess costs balance alone.
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

/** Shards of the cluster for so many units: one runner after the other, each of its shards in turn. */
export const placesFor = (units: number, shares: readonly (readonly number[])[]): readonly number[] => {
  const able = shares.filter((share) => share.length > 0)
  return Array.from({ length: units }, (_, unit) => {
    const share = able[unit % able.length]!
    return share[Math.floor(unit / able.length) % share.length]!
  })
}
