/** What started this thread, as the thread sees it: a worker of Node. */
import { parentPort } from "node:worker_threads"

export const listen = (receive: (message: unknown) => void): void => {
  parentPort!.on("message", receive)
}

export const tell = (message: string): void => parentPort!.postMessage(message)

export const end = (): void => process.exit(0)
