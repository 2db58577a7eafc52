/** `speedq worker` as a process. */
import { type Ended, speedqProcess } from "./speedq.ts"

export interface JoinedRunner {
  readonly name: string
  /** Interrupts it, and waits for its end. */
  readonly end: () => Promise<Ended>
}

/** A runner that has joined; it is killed when it has said `until`. */
export const joinedRunner = (args: readonly string[], until?: RegExp): Promise<JoinedRunner> =>
  new Promise((resolve, reject) => {
    const ended = speedqProcess(["worker", ...args], {
      onStderr: (text, kill) => {
        const name = /(\S+) computes on/.exec(text)?.[1]
        if (until?.test(text)) kill("SIGKILL")
        if (name === undefined) return
        const end = () => {
          kill("SIGTERM")
          return ended
        }
        resolve({ name, end })
      }
    })
    ended.then(({ stderr }) => reject(new Error(`it ended: ${stderr}`)), reject)
  })
