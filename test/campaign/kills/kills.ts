/**
 * Processes that are killed or told to stop: at random times, and in a random change of their files, before it, within it, after it.
 * Each goes on where the one before it was, until the run is finished: then its files are compared with those of a run that nothing
 * disturbed. What a process said to be saved must be where the next one goes on.
 */
import { type Campaign, casesFrom } from "../Campaign.ts"
import { Random } from "../Random.ts"
import { type Chain, type Fault, preparedChain } from "./Chain.ts"
import { buildShim, type Striking } from "./shim.ts"
import { toyVictim } from "./victim.ts"

/** One kill in so many is one of the real stages, which take much longer to start. */
const nanoEvery = 50
/** Changes of the file system of which one is struck; fewer than a run has, so that most runs take several kills. */
const changes = 120
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

const faultOf = (random: Random, { directory, victim }: Chain, striking: Striking | undefined): Fault => {
  const after = random.uniform() * victim.milliseconds
  const at = 1 + random.below(changes)
  if (random.chance(0.2)) return { what: "SIGKILL", env: {}, signal: { name: "SIGKILL", after } }
  if (random.chance(0.15)) {
    const name = random.of(signals)
    return { what: name, env: {}, signal: { name, after } }
  }
  const mode = random.of(["before", "within", "after"] as const)
  if (striking === undefined) return { what: `killed in change ${at}`, env: { CRASH_AT: String(at) } }
  return { what: `killed ${mode} change ${at}`, env: striking({ directory, at, mode }) }
}

export const kills = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const { scratch, seed } = campaign
  const striking = buildShim(scratch, (line) => campaign.say(`kills: ${line}`))
  const toy = await preparedChain(campaign, toyVictim(scratch))
  const cases = [...casesFrom(from, count)]
  const isNano = (at: number) => at % nanoEvery === nanoEvery - 1
  // What the real stages take is loaded for them alone.
  const nanoChain = async () => preparedChain(campaign, await (await import("./nanoVictim.ts")).nanoVictim(scratch))
  const nano = cases.some(isNano) ? await nanoChain() : toy
  await campaign.each("kills", cases, count, (at) => {
    const chain = isNano(at) ? nano : toy
    return chain.disturb("kills", at, faultOf(new Random(seed, at), chain, striking))
  })
}
