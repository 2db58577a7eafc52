/** The page of `--preview`: samples as the model will see them. */
import { basename } from "node:path"
import { type Report, renderReport } from "@speedq/pipeline"
import { type CheckedData, previewData } from "@speedq/stages"
import * as Effect from "effect/Effect"

const legend: Report.Section = {
  _tag: "Text",
  title: "",
  paragraphs: [
    "Each sample shows its tiles as the model gets them, and its text with a thin line before each token. Tokens on a coloured ground are the labels: the model learns to say them. Crossed-out tokens are beyond maxLength, and the model sees nothing of them. A token that stands for a part of a picture is shown once, with its number."
  ]
}

const titleOf = ({ data, stages }: CheckedData): string =>
  stages.length === 0 ? basename(data.meta) : `${stages.join(", ")}: ${basename(data.meta)}`

/** Fails as `previewData` does. */
export const previewPage = Effect.fn("previewPage")(function* (checked: readonly CheckedData[], samples: number) {
  const chapters = yield* Effect.forEach(checked, (data) =>
    Effect.map(previewData(data, samples), (sections) => ({ title: titleOf(data), sections: [legend, ...sections] }))
  )
  const { model, seed } = checked[0]?.recipe ?? { model: "", seed: 0 }
  return renderReport({ title: "What the model will see", subtitle: `model ${model}, seed ${seed}`, chapters })
})
