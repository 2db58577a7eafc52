/** A page in chromium that is driven, without a library: the DevTools protocol over two pipes, a message before each NUL. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import type { Readable, Writable } from "node:stream"
import { chromium, type Look, lasting } from "./chromium.ts"

interface Answer {
  readonly id?: number
  readonly result?: { readonly [name: string]: unknown }
  readonly error?: { readonly message: string }
}

export interface Page {
  /** Calls a method of the protocol for the page. */
  readonly call: (method: string, params?: object) => Promise<{ readonly [name: string]: unknown }>
  /** The value of an expression in the page. */
  readonly value: (expression: string) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** Opens `url`, with further options of chromium. */
export const openPage = async (
  url: string,
  look: Look,
  profile: string,
  options: ReadonlyArray<string> = []
): Promise<Page> => {
  const child = spawn(
    chromium!,
    [...lasting(look, 1200), ...options, "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank"],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] }
  )
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable]
  const waiting = new Map<number, (answer: Answer) => void>()
  let rest = ""
  output.setEncoding("utf8").on("data", (piece: string) => {
    const messages = (rest + piece).split("\0")
    rest = messages.pop() ?? ""
    for (const answer of messages.map((message) => JSON.parse(message) as Answer))
      waiting.get(answer.id ?? -1)?.(answer)
  })
  let last = 0
  const send = (method: string, params: object, session: object) =>
    new Promise<{ readonly [name: string]: unknown }>((resolve, reject) => {
      const id = ++last
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id)
        if (error === undefined) resolve(result ?? {})
        else reject(new Error(`${method}: ${error.message}`))
      })
      input.write(`${JSON.stringify({ id, method, params, ...session })}\0`)
    })
  const { targetInfos } = await send("Target.getTargets", {}, {})
  const target = (targetInfos as ReadonlyArray<{ type: string; targetId: string }>).find(({ type }) => type === "page")
  const { sessionId } = await send("Target.attachToTarget", { targetId: target!.targetId, flatten: true }, {})
  const call = (method: string, params: object = {}) => send(method, params, { sessionId })
  await call("Page.enable")
  await call("Page.navigate", { url })
  return {
    call,
    value: async (expression) => {
      const { result } = await call("Runtime.evaluate", { expression, returnByValue: true })
      return (result as { readonly value?: unknown }).value
    },
    close: async () => {
      const ended = once(child, "exit")
      await send("Browser.close", {}, {})
      await ended
    }
  }
}
