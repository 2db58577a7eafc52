/** The threads of the native backend: workers that sleep between tasks, and the calling thread, which takes its share. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import { BackendUnavailable, KernelFailure } from "../../core/Errors.ts"
import { Control, word } from "./thread/control.ts"
import { execute } from "./thread/execute.ts"
import { type LibraryPaths, loadProducts } from "./thread/library/loadLibrary.ts"
import type { Thread } from "./thread/Thread.ts"
import { writeTask } from "./thread/taskCodec.ts"
import { partsOf, type Task } from "./thread/tasks.ts"
import { exportNames, type WasmMemory } from "./thread/wasm.ts"
import type { Message, WorkerData } from "./thread/worker.ts"

/** Workers run compiled code also when this module runs from source: `npm run build` makes it, with the WebAssembly. */
const workerPath = fileURLToPath(new URL("../../../dist/backends/native/thread/worker.js", import.meta.url))

interface Member {
  readonly worker: Worker
  readonly port: MessagePort
}

export class Pool {
  readonly threads: number
  private readonly own: Thread
  private readonly control: Control
  private readonly members: readonly Member[]
  /** Places of the kernels' entries in the list of exports. */
  private readonly entries: ReadonlyMap<string, number>
  private closed = false

  private constructor(own: Thread, control: Control, members: readonly Member[], entries: readonly string[]) {
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
    const control = new Control()
    if (threads > 1 && !existsSync(workerPath)) {
      throw new BackendUnavailable("native", `its threads are not built (${workerPath} is missing): run npm run build`)
    }
    const members = Array.from({ length: threads - 1 }, (_, index) => startWorker(index + 1, control, data))
    try {
      await Promise.all(members.map(ready))
    } catch (error) {
      for (const { worker } of members) void worker.terminate()
      throw new BackendUnavailable("native", `a thread did not start: ${String(error)}`)
    }
    for (const { worker, port } of members) {
      worker.unref()
      port.unref()
    }
    return new Pool(own, control, members, exportNames(data.module))
  }

  /** Lets every thread see a new memory, before the next task. */
  addMemory(memory: WasmMemory): void {
    this.own.addMemory(memory)
    for (const { port } of this.members) port.postMessage({ memory } satisfies Message)
  }

  /** Lets every thread use other libraries, before the next task. */
  useLibraries(libraries: LibraryPaths): void {
    this.own.useProducts(loadProducts(libraries))
    for (const { port } of this.members) port.postMessage({ libraries } satisfies Message)
  }

  /** Runs a task to its end. Raises KernelFailure when a part fails on any thread. */
  run(kernel: string, task: Task): void {
    const parts = partsOf(task)
    try {
      if (parts <= 1 || this.members.length === 0 || this.closed) {
        for (let part = 0; part < parts; part++) execute(this.own, task, part)
        return
      }
      this.share(task, parts)
    } catch (error) {
      throw new KernelFailure(kernel, error instanceof Error ? error.message : String(error))
    }
  }

  private share(task: Task, parts: number): void {
    const { control, members, own } = this
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
    if (this.closed) return
    this.closed = true
    const { words } = this.control
    const exits = this.members.map(({ worker }) => new Promise((resolve) => worker.once("exit", resolve)))
    for (const { worker } of this.members) worker.ref()
    Atomics.store(words, word.stop, 1)
    Atomics.add(words, word.epoch, 1)
    Atomics.notify(words, word.epoch)
    await Promise.all(exits)
    for (const { port } of this.members) port.close()
  }
}

const startWorker = (
  index: number,
  control: Control,
  data: Pick<WorkerData, "module" | "flags" | "libraries">
): Member => {
  const { port1, port2 } = new MessageChannel()
  const workerData: WorkerData = { index, control: control.buffer, port: port2, ...data }
  // No flags of the parent: its loaders are for TypeScript, which the worker is not.
  const worker = new Worker(workerPath, { workerData, transferList: [port2], execArgv: [], env: process.env })
  return { worker, port: port1 }
}

const ready = ({ worker, port }: Member): Promise<void> =>
  new Promise((resolve, reject) => {
    port.once("message", () => {
      worker.removeAllListeners()
      resolve()
    })
    worker.once("error", reject)
    worker.once("exit", (code) => reject(new Error(`it exited with code ${code}`)))
  })
