/** A thread of the pool: sleeps until a task is opened, takes parts of it, sleeps again. */
import { setEngineFlag } from "#system/machine"
import { end, listen, tell } from "#system/threadHost"
import { Control, word } from "./control.ts"
import { execute } from "./execute.ts"
import { Letters } from "./Letters.ts"
import { type LibraryPaths, loadProducts } from "./library/loadLibrary.ts"
import { Thread } from "./Thread.ts"
import { readTask } from "./taskCodec.ts"
import { exportNames, type WasmMemory, type WasmModule } from "./wasm.ts"

/** What a thread is given first. */
export interface WorkerData {
  readonly index: number
  readonly control: SharedArrayBuffer
  readonly module: WasmModule
  readonly flags: string | undefined
  readonly libraries: LibraryPaths
}

/** What a thread takes into use before the next task. */
export type Message = { readonly memory: WasmMemory } | { readonly libraries: LibraryPaths }

const letters = new Letters()
listen((message) => letters.put(message))

const run = async ({ index, control: buffer, module, flags, libraries }: WorkerData): Promise<void> => {
  if (flags !== undefined) setEngineFlag(flags)
  const control = new Control(buffer)
  const { words } = control
  // The caller has loaded them before, without threads of its own.
  const thread = new Thread(index, module, loadProducts(libraries))
  const entries = exportNames(module)
  let received = 0
  let failure: unknown

  const isBehind = (): boolean => received < Atomics.load(words, word.posted)
  /** A thread that sleeps hears nothing: what was posted meanwhile is waited for when it wakes. */
  const hear = async (): Promise<void> => {
    for (; isBehind(); received++) {
      const news = (await letters.next()) as Message
      try {
        if ("memory" in news) thread.addMemory(news.memory)
        else thread.useProducts(loadProducts(news.libraries))
      } catch (error) {
        failure ??= error
      }
    }
  }

  tell("ready")
  for (let epoch = 0; Atomics.load(words, word.stop) === 0; ) {
    control.awaitChange(word.epoch, epoch)
    epoch = Atomics.load(words, word.epoch)
    Atomics.add(words, word.inside, 1)
    try {
      // Nothing is posted while a task is open: who has heard all before it may take parts of it.
      if (Atomics.load(words, word.open) === 1 && !isBehind()) {
        if (failure !== undefined) throw failure
        const task = readTask(control.task, entries)
        control.drain((part) => execute(thread, task, part))
      }
    } catch (error) {
      control.fail(-1, error)
    }
    if (Atomics.sub(words, word.inside, 1) === 1) Atomics.notify(words, word.inside)
    await hear()
  }
}

await run((await letters.next()) as WorkerData)
end()
