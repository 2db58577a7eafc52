/** Programs on a terminal of 60 columns: a pseudo-terminal made by `script` of util-linux. */
import { spawn, spawnSync } from "node:child_process"

export const hasPseudoTerminal =
  spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux") ?? false

interface Ended {
  readonly code: number | null
  /** Everything that was written to the screen, with what steers it. */
  readonly text: string
}

/** What is typed when a text is on the screen. */
interface Typing {
  readonly when: string
  readonly type: string
}

export const ctrlC = "\u0003"

/** Runs node with a terminal of 60 columns, and types once. */
export const onTerminal = (
  args: ReadonlyArray<string>,
  { when, type }: Typing,
  env: NodeJS.ProcessEnv = {}
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const command = ["stty cols 60; exec", ...[process.execPath, ...args].map((arg) => `'${arg}'`)].join(" ")
    const { NO_COLOR: _, ...inherited } = process.env
    const child = spawn("script", ["--quiet", "--return", "--flush", "--command", command, "/dev/null"], {
      env: { ...inherited, TERM: "xterm-256color", COLORTERM: "", CI: "", ...env },
      stdio: ["pipe", "pipe", "inherit"]
    })
    let text = ""
    let typed = false
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      text += piece
      if (!typed && text.includes(when)) child.stdin.write(type)
      typed ||= text.includes(when)
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, text }))
  })
