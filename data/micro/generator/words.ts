/** Every word that the data set can say. */
import { Random } from "@speedq/tensors"
import { wordsOf } from "../../common/words.ts"
import { letters } from "./Scene.ts"
import { conversation, makeSample, mixtures } from "./sample.ts"

/** Enough conversations that every phrase of both languages occurs many times. */
const sampled = 6_000

export const dataSetWords = (): ReadonlyArray<string> => {
  const random = Random.make(1, "words")
  const said = wordsOf(
    Array.from({ length: sampled }, () => {
      const sample = makeSample(random, mixtures.everything)
      return { turns: sample.turns, messages: conversation(sample) }
    })
  )
  return [...said, ...letters.map((letter) => ` ${letter}`)]
}
