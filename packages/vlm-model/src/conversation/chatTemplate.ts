/** InternVL3's chat template, `internvl2_5`: messages between <|im_start|>role\n and <|im_end|>\n. */
import { messageEnd, messageStart } from "../tokenizer/SpecialTokens.ts"
import { type Rendered, token, words } from "./rendered.ts"

/** What the template's system turn says unless a conversation brings its own. */
export const defaultSystemMessage =
  "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"

export type Role = "system" | "user" | "assistant"

/** How a message starts: of an answer, what is left open at the end of a prompt. */
export const messageHeader = (role: Role): Rendered => [token(messageStart), words(`${role}\n`)]

/** One whole message. Its text is taken as it is, without stripping. */
export const renderMessage = (role: Role, content: Rendered): Rendered => [
  ...messageHeader(role),
  ...content,
  token(messageEnd),
  words("\n")
]

/** A config's `system_message` as text: null and absent mean the template's own. */
export const systemMessageOf = (configured: string | null | undefined): string => configured ?? defaultSystemMessage
