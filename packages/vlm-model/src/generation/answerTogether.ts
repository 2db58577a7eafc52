/** Answers several questions at once, the most likely token each time: those whose prompts have the same length go together. */
import * as Effect from "effect/Effect"
import { encodeSequence } from "../conversation/rendered.ts"
import { allAtOnce } from "../internal/inSteps.ts"
import { type AnswerError, isAnswerError, trimmedAnswer } from "./answer.ts"
import { generateTogether } from "./generateTogether.ts"
import { type AnsweringModel, type Asked, type Prompt, promptEmbeddings, renderQuestion } from "./prompts.ts"

export interface JointQuestion extends Asked {
  readonly maxNewTokens: number
}

/** Answers of questions whose prompts are equally long. */
const answersOf = async (
  model: AnsweringModel,
  prompts: readonly Prompt[],
  maxNewTokens: number
): Promise<readonly string[]> => {
  const { backend, directory, weights } = model
  const embeddings = allAtOnce(promptEmbeddings(model, prompts))
  try {
    const generated = await generateTogether({
      backend,
      config: directory.config,
      weights,
      prompts: embeddings,
      maxNewTokens,
      stopIds: new Set([directory.tokens.messageEnd, directory.tokens.endOfText])
    })
    return generated.map((ids) => {
      const decoder = directory.tokenizer.stream({ skipSpecial: true })
      return trimmedAnswer(ids.map((id) => decoder.push(id)).join("") + decoder.flush())
    })
  } finally {
    embeddings.release()
  }
}

/** The answers in the order of the questions: what `answer` with the greedy sampler gives for each of them. */
export const answerTogether = Effect.fnUntraced(function* (
  model: AnsweringModel,
  questions: readonly JointQuestion[]
): Effect.fn.Return<readonly string[], AnswerError> {
  const answers = new Array<string>(questions.length).fill("")
  const groups = new Map<string, number[]>()
  const prompts: Prompt[] = []
  for (const [at, question] of questions.entries()) {
    const ids = encodeSequence(model.directory.tokenizer, yield* renderQuestion(model.directory, question))
    prompts.push({ ids, images: question.images })
    const group = `${ids.length}/${question.maxNewTokens}`
    groups.set(group, [...(groups.get(group) ?? []), at])
  }
  for (const places of groups.values()) {
    const given = yield* Effect.tryPromise({
      try: () =>
        answersOf(
          model,
          places.map((at) => prompts[at]!),
          questions[places[0]!]!.maxNewTokens
        ),
      catch: (error) => error
    }).pipe(Effect.catch((error) => (isAnswerError(error) ? Effect.fail(error) : Effect.die(error))))
    for (const [i, at] of places.entries()) answers[at] = given[i]!
  }
  return answers
})
