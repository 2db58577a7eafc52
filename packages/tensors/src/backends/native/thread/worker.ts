/** A thread of the pool: sleeps until a task is opened, takes parts of it, sleeps again. */
import { setFlagsFromString } from "node:v8"
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads"
import { Control, word } from "./control.ts"
import { execute } from "./execute.ts"
import { type LibraryPaths, loadProducts } from "./library/loadLibrary.ts"
import { Thread } from "./Thread.ts"
import { readTask } from "./taskCodec.ts"
import { exportNames, type WasmMemory, type WasmModule } from "./wasm.ts"

export interface WorkerData {
  readonly index: number
  readonly control: SharedArrayBuffer
  readonly module: WasmModule
  readonly flags: string | undefined
  readonly libraries: LibraryPaths
  /** Brings new memories and other libraries, in order. */
  readonly port: MessagePort
}

/** What a thread takes into use before the next task. */
export type Message = { readonly memory: WasmMemory } | { readonly libraries: LibraryPaths }

const { index, control: buffer, module, flags, libraries, port } = workerData as WorkerData
if (flags !== undefined) setFlagsFromString(flags)

const control = new Control(buffer)
const { words } = control
// The caller has loaded it before, without threads of its own.
const thread = new Thread(index, module, loadProducts(libraries))
const entries = exportNames(module)

const takePart = (): void => {
  for (let message = receiveMessageOnPort(port); message !== undefined; message = receiveMessageOnPort(port)) {
    const news = message.message as Message
    if ("memory" in news) thread.addMemory(news.memory)
    else thread.useProducts(loadProducts(news.libraries))
  }
  const task = readTask(control.task, entries)
  control.drain((part) => execute(thread, task, part))
}

port.postMessage("ready")
for (let epoch = 0; Atomics.load(words, word.stop) === 0; ) {
  control.awaitChange(word.epoch, epoch)
  epoch = Atomics.load(words, word.epoch)
  Atomics.add(words, word.inside, 1)
  try {
    if (Atomics.load(words, word.open) === 1) takePart()
  } catch (error) {
    control.fail(-1, error)
  }
  if (Atomics.sub(words, word.inside, 1) === 1) Atomics.notify(words, word.inside)
}
process.exit(0)
