/**
 * Runs that share their steps with runners, whose processes are killed or stopped at random times: `kill -9` of a runner, of all, of the
 * run, of everything, and runners that stand still. What was killed is started again. Each run that is finished must have the bytes of
 * one alone, and leave nothing of what processes handed to each other.
 */
import { type Campaign, casesFrom } from "../Campaign.ts"
import { Random } from "../Random.ts"

export const clusterKills = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  // What the real stages take is loaded for them alone.
  const { Troop } = await import("./Troop.ts")
  const troop = await Troop.prepare(campaign)
  const forget = campaign.onStop(() => troop.close())
  try {
    await campaign.each("cluster", casesFrom(from, count), count, (at) =>
      troop.disturb(at, new Random(campaign.seed, at))
    )
    await troop.end()
  } finally {
    forget()
    troop.close()
  }
  const struck = [...troop.strikes].map(([what, times]) => `${times} times ${what}`)
  campaign.say(`cluster: ${troop.finished} runs ended as alone; ${struck.join(", ")}`)
}
