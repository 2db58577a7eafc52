/**
 * A run that shares its steps with two runners, all of them processes of this host on SQLite, and what happens to them: each is killed or
 * stands still, and what was killed is started again. A run that is finished is compared with one that was alone, and another one begins.
 */
import { readdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  childrenOf,
  endProcesses,
  finishedRun,
  madeBy,
  type Running,
  startRun,
  startWorker
} from "../../../packages/cluster/test/support/processes.ts"
import { testTimes } from "../../../packages/cluster/test/support/testTimes.ts"
import { evaluation, shortStages, writeNanoModel } from "../../../packages/stages/test/support/nano.ts"
import type { Campaign } from "../Campaign.ts"
import type { Random } from "../Random.ts"

/** A run that makes no step for so long hangs: a runner that is silent, and shards that two others had, cost far less. */
const patience = 240_000
const lookMilliseconds = 50
const runners = 2

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/**
 * Tower, projector and decoder for some steps, in more shards than there are runners, ranges of some Linears, and an evaluation, saved after
 * each.
 */
const recipeOn = (model: string) => {
  const sharded = { batch: 1, accumulation: 6, shards: 3 }
  const adaround = { ...shortStages.adaround, iterations: 4, shards: 3 }
  const projector = { ...shortStages.projector, ...sharded, maxSteps: 4 }
  const qat = { ...shortStages.qat, ...sharded, maxSteps: 16, loss: { confidenceBatches: 2 } }
  const quantizers = shortStages.autoclip.quantizers.map((rule) => ({ ...rule, match: "/layers\\.[01]\\./" }))
  const autoclip = { ...shortStages.autoclip, quantizers }
  const stages = [adaround, projector, autoclip, qat, evaluation("result")]
  return { version: 1, name: "cluster", model, seed: 3, save: { everySteps: 1 }, stages }
}

const signalAll = (pids: readonly number[], signal: NodeJS.Signals): void => {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch {
      // It has ended.
    }
  }
}

/** What is done to the processes: in words, and done. */
interface Strike {
  readonly what: string
  readonly now: () => void
}

export class Troop {
  readonly #campaign: Campaign
  readonly #recipe: string
  readonly #alone: ReturnType<typeof madeBy>
  /** Milliseconds of a run alone. */
  readonly #milliseconds: number
  readonly #place: string
  /** Processes that stand still. */
  readonly #still = new Set<number>()
  readonly #ended = new WeakMap<Running, { readonly code: number | null; readonly output: string }>()
  readonly #workers: Running[] = []
  #run: Running
  #begun = 0
  #at = 0
  #struck: string[] = []
  /** Runs that were disturbed and ended with the bytes of one alone. */
  finished = 0
  /** What was done how often. */
  readonly strikes = new Map<string, number>()

  private constructor(
    campaign: Campaign,
    recipe: string,
    alone: { readonly made: ReturnType<typeof madeBy>; readonly milliseconds: number }
  ) {
    this.#campaign = campaign
    this.#recipe = recipe
    this.#alone = alone.made
    this.#milliseconds = alone.milliseconds
    this.#place = join(campaign.scratch, "cluster")
    for (let runner = 0; runner < runners; runner++) this.#workers.push(this.#watched(this.#newWorker()))
    this.#run = this.#newRun()
  }

  /** Runs once alone, to know what must come of it and how long it takes. */
  static async prepare(campaign: Campaign): Promise<Troop> {
    const recipe = join(campaign.scratch, "cluster.json")
    writeFileSync(recipe, JSON.stringify(recipeOn(await writeNanoModel(join(campaign.scratch, "cluster-model")))))
    const directory = join(campaign.scratch, "cluster-alone")
    const began = performance.now()
    await finishedRun(directory, recipe, "native")
    return new Troop(campaign, recipe, { made: madeBy(directory), milliseconds: performance.now() - began })
  }

  #watched(running: Running): Running {
    running.ended.then((ended) => this.#ended.set(running, ended))
    return running
  }

  #newWorker(): Running {
    return startWorker(this.#place, "native")
  }

  get #directory(): string {
    return join(this.#campaign.scratch, `cluster-run-${this.#begun}`)
  }

  #newRun(): Running {
    return this.#watched(startRun(this.#directory, this.#recipe, "native", this.#place))
  }

  #beginAnother(): void {
    rmSync(this.#directory, { recursive: true, force: true })
    this.#begun++
    this.#struck = []
    this.#run = this.#newRun()
  }

  #killWorker(at: number): void {
    this.#workers[at]!.kill("SIGKILL")
    this.#workers[at] = this.#watched(this.#newWorker())
  }

  #killRun(): void {
    this.#run.kill("SIGKILL")
    this.#run = this.#newRun()
  }

  /** A runner, or all that belongs to it, stands still: for less or for more than others wait for it. */
  #standStill(at: number, milliseconds: number, withComputation: boolean): void {
    const { pid } = this.#workers[at]!
    const pids = withComputation ? [pid, ...childrenOf(pid)] : [pid]
    signalAll(pids, "SIGSTOP")
    for (const pid of pids) this.#still.add(pid)
    setTimeout(() => {
      signalAll(pids, "SIGCONT")
      for (const pid of pids) this.#still.delete(pid)
    }, milliseconds).unref()
  }

  #strikeOf(random: Random): Strike {
    const at = random.below(runners)
    const all = () => {
      for (let worker = 0; worker < runners; worker++) this.#killWorker(worker)
    }
    const kind = random.uniform()
    if (kind < 0.4) return { what: "a runner killed", now: () => this.#killWorker(at) }
    if (kind < 0.65) return { what: "the run killed", now: () => this.#killRun() }
    if (kind < 0.75) return { what: "all runners killed", now: all }
    if (kind < 0.85) {
      const both = () => {
        all()
        this.#killRun()
      }
      return { what: "run and runners killed", now: both }
    }
    const milliseconds = Math.round(random.uniform() * 2 * testTimes.silentMilliseconds)
    const withComputation = random.chance(0.5)
    const isLong = milliseconds > testTimes.silentMilliseconds
    const what = `a runner${withComputation ? " with its computation" : ""} stood still, ${isLong ? "longer" : "shorter"} than it may be silent`
    return { what, now: () => this.#standStill(at, milliseconds, withComputation) }
  }

  #failed(failure: "lost" | "hangs" | "stacks", what: string, output: string): void {
    this.#campaign.failed(failure, "cluster", this.#at, what, `${this.#struck.join("\n")}\n${output}`)
  }

  /** What is told of runners and runs that ended and were not killed. A run that is finished gives way to the next one. */
  #settle(): void {
    for (const [at, worker] of this.#workers.entries()) {
      const ended = this.#ended.get(worker)
      if (ended === undefined) continue
      this.#failed("lost", `a runner ends with ${ended.code}`, ended.output)
      this.#workers[at] = this.#watched(this.#newWorker())
    }
    const ended = this.#ended.get(this.#run)
    if (ended === undefined) return
    const { code, output } = ended
    if (/\n\s+at .+:\d+:\d+/.test(output)) this.#failed("stacks", "the run ends in a stack", output)
    else if (code !== 0) this.#failed("lost", `the run ends with ${code}`, output)
    else this.#compare(output)
    this.#beginAnother()
  }

  #compare(output: string): void {
    const made = madeBy(this.#directory)
    const other = Object.keys({ ...this.#alone, ...made }).find((file) => made[file] !== this.#alone[file])
    const left = readdirSync(join(this.#directory, "runners")).filter((name) => name !== "runners.json")
    if (other !== undefined) this.#failed("lost", `${other} has other bytes at the end`, output)
    else if (left.length > 0) this.#failed("lost", `the run leaves ${left.join(", ")}`, output)
    else this.finished++
  }

  /** Waits until something is so; false where the run says nothing for too long. */
  async #until(isSo: () => boolean): Promise<boolean> {
    let said = ""
    let since = performance.now()
    while (!isSo() && !this.#campaign.isStopped) {
      await pause(lookMilliseconds)
      const output = this.#run.output()
      if (output.length !== said.length) since = performance.now()
      said = output
      if (performance.now() - since > patience) {
        this.#failed("hangs", "the run makes no step", said)
        this.#run.kill("SIGKILL")
        this.#beginAnother()
        return false
      }
    }
    return true
  }

  get #isOver(): boolean {
    return this.#ended.has(this.#run)
  }

  /** Disturbs it once: at any time, or soon after the run has made a step. */
  async disturb(at: number, random: Random): Promise<void> {
    this.#at = at
    const [inStep, moment] = [random.chance(0.6), random.uniform()]
    const strike = this.#strikeOf(random)
    if (inStep) {
      const run = this.#run
      const before = run.output().length
      const steps = () =>
        run
          .output()
          .slice(before)
          .match(/^0\d-\S+ \d+$/m) !== null
      if (!(await this.#until(() => this.#isOver || steps()))) return
      await pause(moment * 1000)
    } else await pause(moment * this.#milliseconds)
    if (this.#campaign.isStopped) return
    this.#settle()
    this.#struck.push(`${at}: ${strike.what}`)
    this.strikes.set(strike.what, (this.strikes.get(strike.what) ?? 0) + 1)
    strike.now()
  }

  /** Lets the run that was disturbed end, and compares it. */
  async end(): Promise<void> {
    if (this.#struck.length > 0 && (await this.#until(() => this.#isOver)) && this.#isOver) this.#settle()
  }

  close(): void {
    endProcesses()
    // What computed for a killed runner ends as soon as it can.
    signalAll([...this.#still], "SIGCONT")
  }
}
