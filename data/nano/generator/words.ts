/** Every word that the data set can say: what the vocabulary must hold. */

import { Random } from "@speedq/tensors"
import { pieceEnd } from "@speedq/vlm-model"
import { conversation, makeSample, mixtures } from "./sample.ts"
import { choiceLetters } from "./tasks.ts"

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
/** Rows that spell a word are read letter by letter, like numbers digit by digit. */
const spelled = /^ ?[A-Z]{2,}$/

const piecesOf = (text: string): ReadonlyArray<string> => {
  const pieces: Array<string> = []
  for (let start = 0, end = 0; start < text.length; start = end) {
    end = pieceEnd(text, start)
    pieces.push(text.slice(start, end))
  }
  return pieces
}

/** Enough conversations that every phrase of both languages occurs many times. */
const sampled = 6_000

export const dataSetWords = (): ReadonlyArray<string> => {
  const random = Random.make(1, "words")
  const words = new Set<string>([...templateWords, ...instructionWords, ...choiceLetters])
  for (let i = 0; i < sampled; i++) {
    const sample = makeSample(random, mixtures.everything)
    for (const { question } of sample.turns) {
      if (question.language === "en") continue
      for (const word of question.words.flatMap((text) => text.split(" "))) {
        for (const piece of chinese.test(word) ? [word] : piecesOf(word)) words.add(piece)
      }
    }
    for (const { value } of conversation(sample))
      for (const piece of piecesOf(value.replace("<image>", ""))) if (!chinese.test(piece)) words.add(piece)
  }
  return [...words].filter((word) => !spelled.test(word) && [...word].length > 0)
}
