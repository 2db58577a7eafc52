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

/** What InternVL adds after either. */
const internvlTokens: ReadonlyArray<Added> = [...[imageStart, imageEnd, imageContext, ...groundingTokens].map(special)]

/** The added tokens of a released tokenizer, in the order of their ids; the first follows the last token of the vocabulary. */
export const addedTokensOf = (decoder: "qwen2" | "qwen3"): ReadonlyArray<Added> => [
  ...qwen2Tokens,
  ...(decoder === "qwen3" ? qwen3Tokens : []),
  ...internvlTokens
]

/** Those of InternVL2.5 and InternVL3. */
export const internvlAddedTokens = addedTokensOf("qwen2")
