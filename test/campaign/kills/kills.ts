/**
 * Processes that are killed or told to stop: at random times, and in a random change of their files, before it, within it, after it.
 * Each goes on where the one before it was, until the run is finished: then its files are compared with those of a run that nothing
 * disturbed. What a process said to be saved must be where the next one goes on.
 */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { resultsOf } from "../../../packages/pipeline/test/support/results.ts"
import { type Campaign, casesFrom } from "../Campaign.ts"
import { Random } from "../Random.ts"
import { filesOf, lost, type Standing } from "../runs.ts"
import { buildShim, type Striking } from "./shim.ts"
import { type Ended, type Signal, toyVictim, type Victim } from "./victim.ts"

/** One kill in so many is one of the real stages, which take much longer to start. */
const nanoEvery = 50
/** Changes of the file system of which one is struck; fewer than a run has, so that most runs take several kills. */
const changes = 120
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

interface Fault {
  readonly what: string
  readonly env: NodeJS.ProcessEnv
  readonly signal?: Signal
}

const faultOf = (random: Random, directory: string, victim: Victim, striking: Striking | undefined): Fault => {
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

/** A run that is killed again and again. */
class Chain {
  readonly #campaign: Campaign
  readonly #victim: Victim
  readonly directory: string
  #promised: Standing = new Map()

  constructor(campaign: Campaign, victim: Victim) {
    this.#campaign = campaign
    this.#victim = victim
    this.directory = join(campaign.scratch, `killed-${victim.name}`)
    this.#begin()
  }

  #begin(): void {
    rmSync(this.directory, { recursive: true, force: true })
    this.#promised = new Map()
  }

  async kill(at: number, striking: Striking | undefined): Promise<void> {
    const fault = faultOf(new Random(this.#campaign.seed, at), this.directory, this.#victim, striking)
    const ended = await this.#victim.run(this.directory, fault.env, fault.signal)
    const problem = this.#problemOf(ended)
    if (problem !== undefined) {
      const input = [...filesOf(this.directory), ["stderr.txt", ended.stderr] as const]
      const [failure, what] = problem
      this.#campaign.failed(
        failure,
        "kills",
        at,
        `${this.#victim.name}: ${what}`,
        `${fault.what}\n${ended.stderr}`,
        input
      )
    }
    if (problem !== undefined || ended.code === 0) this.#begin()
    else this.#promised = new Map([...this.#promised, ...ended.told.acknowledged])
  }

  #problemOf({ code, signal, told, stderr, hung }: Ended): readonly ["lost" | "hangs" | "stacks", string] | undefined {
    if (hung) return ["hangs", "the process does not end"]
    if (/\n\s+at .+:\d+:\d+/.test(stderr)) return ["stacks", "the process ends in a stack"]
    const passed = new Map([...this.#promised].filter(([place]) => told.wentOnAt.has(place)))
    const behind = lost(passed, told.wentOnAt)
    if (behind !== undefined) return ["lost", behind]
    if (code === 0) {
      const results = resultsOf(this.directory)
      const whole = this.#victim.results
      const other = Object.keys({ ...whole, ...results }).find((file) => whole[file] !== results[file])
      return other === undefined ? undefined : ["lost", `${other} has other bytes at the end`]
    }
    if (signal === "SIGKILL" || signal !== null || code === 130) return undefined
    return ["lost", `the process ends with ${code}`]
  }
}

export const kills = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const { scratch } = campaign
  const striking = buildShim(scratch, (line) => campaign.say(`kills: ${line}`))
  const prepared = async (victim: Victim) => {
    await victim.prepare(join(scratch, `whole-${victim.name}`))
    return new Chain(campaign, victim)
  }
  const toy = await prepared(toyVictim(scratch))
  const cases = [...casesFrom(from, count)]
  const isNano = (at: number) => at % nanoEvery === nanoEvery - 1
  // What the real stages take is loaded for them alone.
  const nanoVictim = async () => (await import("./nanoVictim.ts")).nanoVictim(scratch)
  const nano = cases.some(isNano) ? await prepared(await nanoVictim()) : toy
  await campaign.each("kills", cases, count, (at) => (isNano(at) ? nano : toy).kill(at, striking))
}
