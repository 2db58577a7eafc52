/** Runs in processes that are disturbed until they are finished; then their files are those of a run that nothing disturbed. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { resultsOf } from "../../../packages/pipeline/test/support/results.ts"
import type { Campaign, Part } from "../Campaign.ts"
import { filesOf, lost, type Standing } from "../runs.ts"
import type { Ended, Signal, Victim } from "./victim.ts"

/** What happens to a process. */
export interface Fault {
  readonly what: string
  readonly env: NodeJS.ProcessEnv
  readonly signal?: Signal
  /** Whether it may end by an error. */
  readonly mayFail?: boolean
}

/** A run that is disturbed again and again, each process going on where the one before it was. */
export class Chain {
  readonly #campaign: Campaign
  readonly victim: Victim
  readonly directory: string
  #promised: Standing = new Map()

  constructor(campaign: Campaign, victim: Victim) {
    this.#campaign = campaign
    this.victim = victim
    this.directory = join(campaign.scratch, `killed-${victim.name}`)
    this.#begin()
  }

  #begin(): void {
    rmSync(this.directory, { recursive: true, force: true })
    this.#promised = new Map()
  }

  /** Runs one process with a fault. */
  async disturb(part: Part, at: number, fault: Fault): Promise<void> {
    const ended = await this.victim.run(this.directory, fault.env, fault.signal)
    const problem = this.#problemOf(ended, fault)
    if (problem !== undefined) {
      const input = [...filesOf(this.directory), ["stderr.txt", ended.stderr] as const]
      const [failure, what] = problem
      this.#campaign.failed(failure, part, at, `${this.victim.name}: ${what}`, `${fault.what}\n${ended.stderr}`, input)
    }
    if (problem !== undefined || ended.code === 0) this.#begin()
    else this.#promised = new Map([...this.#promised, ...ended.told.acknowledged])
  }

  #problemOf(
    { code, signal, told, stderr, hung }: Ended,
    { mayFail = false }: Fault
  ): readonly ["lost" | "hangs" | "stacks", string] | undefined {
    if (hung) return ["hangs", "the process does not end"]
    if (/\n\s+at .+:\d+:\d+/.test(stderr)) return ["stacks", "the process ends in a stack"]
    const passed = new Map([...this.#promised].filter(([place]) => told.wentOnAt.has(place)))
    const behind = lost(passed, told.wentOnAt)
    if (behind !== undefined) return ["lost", behind]
    if (code === 0) {
      const results = resultsOf(this.directory)
      const whole = this.victim.results
      const other = Object.keys({ ...whole, ...results }).find((file) => whole[file] !== results[file])
      return other === undefined ? undefined : ["lost", `${other} has other bytes at the end`]
    }
    if (signal !== null || code === 130 || (mayFail && code === 1)) return undefined
    return ["lost", `the process ends with ${code}`]
  }
}

/** The chain of a victim, which has run once without a fault. */
export const preparedChain = async (campaign: Campaign, victim: Victim): Promise<Chain> => {
  await victim.prepare(join(campaign.scratch, `whole-${victim.name}`))
  return new Chain(campaign, victim)
}
