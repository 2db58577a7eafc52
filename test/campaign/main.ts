/**
 * npm run campaign -- [--kills N] [--crashes N] [--faults N] [--mutations N] [--cluster N] [--seed N] [--from N] [--json]: disturbs runs
 * and damages inputs, and counts what is lost, what hangs, what ends in a stack and what takes too much memory. Without a number it is a full
 * campaign. Exit 1 when anything failed, 2 on wrong usage. Ctrl-C ends it with what it did until then, how it goes on, and, where nothing
 * failed, exit code 130. docs/reliability.md says what is tested how.
 */
import "../../packages/pipeline/test/toy/operations.ts"
import { parseArgs } from "node:util"
import { Campaign, failures, type Part, parts } from "./Campaign.ts"
import { clusterKills } from "./cluster/clusterKills.ts"
import { crashes } from "./crashes.ts"
import { faults } from "./faults.ts"
import { kills } from "./kills/kills.ts"
import { mutations } from "./mutations/mutations.ts"

/** Cases of a full campaign. */
const full: { readonly [part in Part]: number } = {
  kills: 10_000,
  crashes: 100_000,
  faults: 10_000,
  mutations: 10_000_000,
  cluster: 100
}

type Run = (campaign: Campaign, count: number, from: number) => Promise<void>
const runs: { readonly [part in Part]: Run } = { kills, crashes, faults, mutations, cluster: clusterKills }

const parse = () => {
  try {
    const text = { type: "string" } as const
    const { values } = parseArgs({
      options: {
        ...{ kills: text, crashes: text, faults: text, mutations: text, cluster: text },
        ...{ seed: { ...text, default: "1" }, from: { ...text, default: "0" } },
        folder: { ...text, default: "build/campaign" },
        json: { type: "boolean", default: false }
      }
    })
    const number = (name: Part | "seed" | "from"): number | undefined => {
      const given = values[name]
      if (given === undefined) return undefined
      if (!/^\d+$/.test(given)) throw new Error(`--${name} is a whole number, not "${given}"`)
      return Number(given)
    }
    const counts = Object.fromEntries(parts.map((part) => [part, number(part)]))
    const isFull = Object.values(counts).every((count) => count === undefined)
    return {
      counts: isFull ? full : (counts as { readonly [part in Part]?: number }),
      seed: number("seed")!,
      from: number("from")!,
      folder: values.folder,
      json: values.json
    }
  } catch (error) {
    console.error(`campaign: ${error instanceof Error ? error.message : String(error)}`)
    return process.exit(2)
  }
}

const { counts, seed, from, folder, json } = parse()
const campaign = new Campaign({ seed, folder, say: (line) => console.error(line) })
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => campaign.stop())
try {
  for (const part of parts) if (!campaign.isStopped) await runs[part](campaign, counts[part] ?? 0, from)
} finally {
  campaign.close()
}
const { summary } = campaign
const wrong = failures.filter((failure) => summary[failure] > 0)
for (const [kind, count] of campaign.kinds) campaign.say(`${count} times ${kind}`)
/** What was not run of a part. */
const rest = (part: Part) => {
  const [wanted, done] = [counts[part] ?? 0, summary[part]]
  // States are run in the order of operations, not of their numbers: a part of them cannot be left out.
  const isInOrder = part !== "crashes"
  const next = isInOrder ? { count: wanted - done, from: from + done } : { count: wanted, from }
  return wanted === done ? [] : [`npm run campaign -- --${part} ${next.count} --from ${next.from} --seed ${seed}`]
}
if (campaign.isStopped) campaign.say(["stopped; the rest is:", ...parts.flatMap(rest)].join("\n  "))
if (json) console.log(JSON.stringify(summary))
else {
  console.log(parts.map((part) => `${summary[part]} ${part}`).join(", "))
  console.log(failures.map((failure) => `${failure} ${summary[failure]}`).join(", "))
}
process.exitCode = wrong.length > 0 ? 1 : campaign.isStopped ? 130 : 0
