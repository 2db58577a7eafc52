/** The texts of the tokens that InternVL3 gives a meaning. Their ids differ between tokenizers and are looked up by text. */

export const endOfText = "<|endoftext|>"
export const messageStart = "<|im_start|>"
export const messageEnd = "<|im_end|>"
export const imageStart = "<img>"
export const imageEnd = "</img>"
export const imageContext = "<IMG_CONTEXT>"

/** Marks of places in a picture: part of what is said about it. */
export const groundingTokens: ReadonlyArray<string> = ["<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"]

const special = (text: string) => ({ text, special: true })
const plain = (text: string) => ({ text, special: false })

interface Added {
  readonly text: string
  readonly special: boolean
}

/** What Qwen2.5 adds to its vocabulary. */
const qwen2Tokens: ReadonlyArray<Added> = [
  ...[endOfText, messageStart, messageEnd, "<|object_ref_start|>", "<|object_ref_end|>"].map(special),
  ...["<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>"].map(special),
  ...["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"].map(special),
  ...["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"].map(plain),
  ...["<|repo_name|>", "<|file_sep|>"].map(plain)
]

/** What Qwen3 adds after that. */
const qwen3Tokens: ReadonlyArray<Added> = ["<tool_response>", "</tool_response>", "<think>", "</think>"].map(plain)

/** The last tokens of InternLM2's vocabulary, by the texts that its files replace those of unused pieces with. */
const internlm2Tokens: ReadonlyArray<Added> = [
  ...["<|plugin|>", "<|interpreter|>", "<|action_end|>", "<|action_start|>", messageEnd, messageStart].map(special)
]

/** What InternVL adds after any of these. */
const internvlTokens: ReadonlyArray<Added> = [...[imageStart, imageEnd, imageContext, ...groundingTokens].map(special)]

/** The added tokens of a released tokenizer, in the order of their ids, which have no gap. */
export const addedTokensOf = (decoder: "qwen2" | "qwen3" | "internlm2"): ReadonlyArray<Added> => [
  ...{ qwen2: qwen2Tokens, qwen3: [...qwen2Tokens, ...qwen3Tokens], internlm2: internlm2Tokens }[decoder],
  ...internvlTokens
]

/** Those of InternVL2.5 and InternVL3. */
export const internvlAddedTokens = addedTokensOf("qwen2")
