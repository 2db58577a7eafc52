/**
 * llama.cpp beside ours: a language model of the same shapes with random weights in Q4_0, one token after the other on the processor,
 * in a process of its own. node-llama-cpp is an optional package, which brings builds for several kinds of processors.
 */
import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ModelConfig } from "@speedq/vlm-model"
import { writeLlamaModel } from "./llamaModel.ts"

export const hasLlamaCpp = (() => {
  try {
    import.meta.resolve("node-llama-cpp")
    return true
  } catch {
    return false
  }
})()

export interface LlamaTokens {
  /** The instructions that it uses. */
  readonly build: string
  /** Of one token, in median. */
  readonly wallMs: number
  readonly cpuMs: number
}

const ask = (child: ChildProcess, question: object): Promise<LlamaTokens> =>
  new Promise((resolve, reject) => {
    child.once("message", (answer) => resolve(answer as LlamaTokens))
    child.once("exit", (code, signal) => reject(new Error(`llama.cpp ended with ${code ?? signal}`)))
    child.send(question)
  })

/** Writes the model into a temporary directory and starts llama.cpp; `generate` makes so many tokens after a prompt of so many. */
export const startLlamaCpp = async (config: ModelConfig, threads: number) => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-bench-"))
  const path = join(directory, "model.gguf")
  await writeLlamaModel(path, config)
  const child = fork(new URL("./llamaCppProcess.mjs", import.meta.url), {
    stdio: ["ignore", "ignore", "ignore", "ipc"]
  })
  return {
    generate: (prompt: number, tokens: number) => ask(child, { path, threads, prompt, tokens }),
    stop: () => {
      child.removeAllListeners("exit")
      child.kill()
      rmSync(directory, { recursive: true })
    }
  }
}
