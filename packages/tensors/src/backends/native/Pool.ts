/** The threads of the native backend: workers that sleep between tasks, and the calling thread, which takes its share. */
import { startMember, threadsMissing } from "#system/threads"
import { BackendUnavailable, KernelFailure } from "../../core/Errors.ts"
import { Control, word } from "./thread/control.ts"
import { execute } from "./thread/execute.ts"
import { type LibraryPaths, loadProducts } from "./thread/library/loadLibrary.ts"
import type { Thread } from "./thread/Thread.ts"
import { writeTask } from "./thread/taskCodec.ts"
import { partsOf, type Task } from "./thread/tasks.ts"
import { exportNames, type WasmMemory } from "./thread/wasm.ts"
import type { Message, WorkerData } from "./thread/worker.ts"

type Member = ReturnType<typeof startMember>

export class Pool {
  readonly threads: number
  private readonly own: Thread
  /** Words that members share; one thread has none, and needs no shared memory of JavaScript, which a page may lack. */
  private readonly control: Control | undefined
  private readonly members: readonly Member[]
  /** Places of the kernels' entries in the list of exports. */
  private readonly entries: ReadonlyMap<string, number>
  private closed = false

  private constructor(
    own: Thread,
    control: Control | undefined,
    members: readonly Member[],
    entries: readonly string[]
  ) {
    this.own = own
    this.control = control
    this.members = members
    this.entries = new Map(entries.map((name, index) => [name, index]))
    this.threads = members.length + 1
  }

  /** Starts `threads - 1` workers beside the calling thread and waits until they are ready. Raises BackendUnavailable. */
  static async start(
    threads: number,
    own: Thread,
    data: Pick<WorkerData, "module" | "flags" | "libraries">
  ): Promise<Pool> {
    const entries = exportNames(data.module)
    if (threads === 1) return new Pool(own, undefined, [], entries)
    const missing = threadsMissing()
    if (missing !== undefined) throw new BackendUnavailable("native", missing)
    const control = new Control()
    const members = Array.from({ length: threads - 1 }, startMember)
    for (const [place, member] of members.entries()) {
      member.post({ index: place + 1, control: control.buffer, ...data } satisfies WorkerData)
    }
    try {
      await Promise.all(members.map(({ ready }) => ready))
    } catch (error) {
      for (const member of members) member.kill()
      throw new BackendUnavailable("native", `a thread did not start: ${String(error)}`)
    }
    for (const member of members) member.release()
    return new Pool(own, control, members, entries)
  }

  /** Lets every thread see a new memory, before the next task. */
  addMemory(memory: WasmMemory): void {
    this.own.addMemory(memory)
    this.post({ memory })
  }

  /** Lets every thread use other libraries, before the next task. */
  useLibraries(libraries: LibraryPaths): void {
    this.own.useProducts(loadProducts(libraries))
    this.post({ libraries })
  }

  private post(message: Message): void {
    if (this.control !== undefined) Atomics.add(this.control.words, word.posted, 1)
    for (const member of this.members) member.post(message)
  }

  /** Runs a task to its end. Raises KernelFailure when a part fails on any thread. */
  run(kernel: string, task: Task): void {
    const parts = partsOf(task)
    try {
      if (parts <= 1 || this.control === undefined || this.closed) {
        for (let part = 0; part < parts; part++) execute(this.own, task, part)
        return
      }
      this.share(this.control, task, parts)
    } catch (error) {
      throw new KernelFailure(kernel, error instanceof Error ? error.message : String(error))
    }
  }

  private share(control: Control, task: Task, parts: number): void {
    const { members, own } = this
    const { words } = control
    writeTask(task, control.task, this.entries)
    control.reset(parts)
    Atomics.store(words, word.open, 1)
    Atomics.add(words, word.epoch, 1)
    Atomics.notify(words, word.epoch, Math.min(members.length, parts - 1))
    control.drain((part) => execute(own, task, part))
    Atomics.store(words, word.open, 0)
    for (let inside = Atomics.load(words, word.inside); inside > 0; inside = Atomics.load(words, word.inside)) {
      control.awaitChange(word.inside, inside)
    }
    const failure = control.failure()
    if (failure !== undefined) throw new Error(failure)
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    if (this.closed || this.control === undefined) return
    this.closed = true
    const { words } = this.control
    const ends = this.members.map((member) => member.ended())
    Atomics.store(words, word.stop, 1)
    Atomics.add(words, word.epoch, 1)
    Atomics.notify(words, word.epoch)
    await Promise.all(ends)
  }
}
