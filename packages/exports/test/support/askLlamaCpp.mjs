/**
 * A process that asks llama.cpp by its native addon for Node, which logs to this process' own output whatever it is told, and which ends
 * the process where it refuses a file. Takes a list of questions as a message and answers with a list.
 */
import { createRequire } from "node:module"
import { join } from "node:path"

const { LlamaContext } = createRequire(import.meta.url)("@fugood/node-llama-linux-x64")

/** A second completion on one context fails, so that each has its own. */
const withContext = async (directory, use) => {
  const context = new LlamaContext({
    model: join(directory, "model.gguf"),
    n_ctx: 512,
    n_batch: 512,
    n_gpu_layers: 0,
    n_threads: 1,
    cache_type_k: "f32",
    cache_type_v: "f32",
    flash_attn_type: "off"
  })
  try {
    return await use(context)
  } finally {
    await context.release()
  }
}

/** The question after its picture, by the chat template that the file has. */
const promptOf = (context, question) => {
  const messages = [{ role: "user", content: `<__media__>\n${question}` }]
  return context.getFormattedChat(messages, undefined, { jinja: true, add_generation_prompt: true }).prompt
}

const complete = ({ directory, question, picture }, options) =>
  withContext(directory, async (context) => {
    await context.initMultimodal({ path: join(directory, "mmproj.gguf"), use_gpu: false })
    const prompt = promptOf(context, question)
    // Without a callback for tokens: it would read the context after its release.
    return context.completion({ prompt, media_paths: [picture], stop: ["<|im_end|>"], ...options })
  })

const answer = async (asked) => {
  if (!asked.first) return (await complete(asked, { temperature: 0, top_k: 1, n_predict: 64 })).text.trim()
  // The whole distribution as the model gives it: nothing is cut off, and the temperature is 1.
  const whole = { temperature: 1, top_k: 0, top_p: 1, min_p: 0, seed: 1, n_predict: 1, n_probs: 8 }
  const { completion_probabilities } = await complete(asked, whole)
  return Object.fromEntries(completion_probabilities[0].probs.map(({ tok_str, prob }) => [tok_str, prob]))
}

process.on("message", async (questions) => {
  const answers = []
  for (const asked of questions) answers.push(await answer(asked))
  process.send(answers, () => process.exit(0))
})
