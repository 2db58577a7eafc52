/** Every word that a data set can say: what its vocabulary must hold. */
import { pieceEnd } from "@speedq/vlm-model"
import type { Message, Turn } from "./samples.ts"
import { choiceLetters } from "./Task.ts"

/** The chat template's own texts: roles, and the default system message of `internvl2_5` in the pieces of the pre-tokenizer. */
const templateWords = [
  ...["system", "user", "assistant"],
  ...[
    "你是书生",
    "·万象",
    "，英文名是InternVL",
    "，是由上海人工智能实验室",
    "、清华大学及多家合作单位联合开发的多模态大语言模型",
    "。"
  ]
]
const instructionWords = ["请", "直接", "回答", "选项", "字母", "。"]

const chinese = /\p{Script=Han}/u
/** Capitals that are read letter by letter, like numbers digit by digit. */
const spelled = /^ ?[A-Z]{2,}$/

const piecesOf = (text: string): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = pieceEnd(text, start)
    pieces.push(text.slice(start, end))
  }
  return pieces
}

/** The words of conversations: of their texts, and in Chinese of the words that their texts are joined from. */
export const wordsOf = (
  conversations: Iterable<{ readonly turns: ReadonlyArray<Turn<string>>; readonly messages: ReadonlyArray<Message> }>
): ReadonlyArray<string> => {
  const words = new Set<string>([...templateWords, ...instructionWords, ...choiceLetters])
  for (const { turns, messages } of conversations) {
    for (const { question } of turns) {
      if (question.language === "en") continue
      for (const word of question.words.flatMap((text) => text.split(" "))) {
        for (const piece of chinese.test(word) ? [word] : piecesOf(word)) words.add(piece)
      }
    }
    for (const { value } of messages)
      for (const piece of piecesOf(value.replace("<image>", ""))) if (!chinese.test(piece)) words.add(piece)
  }
  return [...words].filter((word) => !spelled.test(word) && [...word].length > 0)
}
