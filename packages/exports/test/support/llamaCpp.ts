/** llama.cpp, asked in a process of its own. Its addon is an optional package, so that there may be none. */
import { fork } from "node:child_process"
import { createRequire } from "node:module"

const isInstalled = (name: string): boolean => {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

export const hasLlamaCpp = isInstalled("@fugood/node-llama-linux-x64")

export interface Asked {
  /** Of the two files. */
  readonly directory: string
  readonly question: string
  /** File of a picture. */
  readonly picture: string
}

const inProcess = <A>(questions: readonly object[]): Promise<readonly A[]> =>
  new Promise((resolve, reject) => {
    const child = fork(new URL("./askLlamaCpp.mjs", import.meta.url), { stdio: ["ignore", "ignore", "ignore", "ipc"] })
    child.on("message", (answers) => resolve(answers as A[]))
    child.on("error", reject)
    child.on("exit", (code, signal) => reject(new Error(`llama.cpp ended with ${code ?? signal}`)))
    child.send(questions)
  })

/** Greedy answers. */
export const answersOf = (questions: readonly Asked[]) => inProcess<string>(questions)

/** Probabilities of the likeliest first tokens, by their text. */
export const firstTokensOf = (questions: readonly Asked[]) =>
  inProcess<Readonly<Record<string, number>>>(questions.map((asked) => ({ ...asked, first: true })))
