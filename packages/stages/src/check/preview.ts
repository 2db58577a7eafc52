/** Samples as a model will see them, for a page: tiles, text, and which tokens of it are learned. */
import { dirname } from "node:path"
import { formatCount, type Report } from "@speedq/pipeline"
import { ignoredLabel, Random } from "@speedq/tensors"
import { encodePng, openTrainingData, SpecialTokens, type Tiles, type Tokenizer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Loaded, openSampleLoader } from "../data/SampleLoader.ts"
import { makingOf } from "../data/SampleSource.ts"
import type { CheckedData } from "./checkedData.ts"

type Transcript = typeof Report.Transcript.Type
type Piece = Transcript["pieces"][number]

/** Longest side of a tile on the page, in pixels. */
const side = 224

const tileImages = ({ count, size, data }: Tiles) =>
  Effect.forEach(Array.from({ length: count }).keys(), (tile) => {
    const pixels = data.subarray(3 * size ** 2 * tile, 3 * size ** 2 * (tile + 1))
    return Effect.map(encodePng({ width: size, height: size, data: pixels }, side), (png) => ({
      mediaType: "image/png" as const,
      base64: Buffer.from(png).toString("base64"),
      description: `tile ${tile + 1} of ${count}`
    }))
  })

/** Pieces of a sequence; tokens of a picture that follow each other are one, with their number. */
const piecesOf = (tokenizer: Tokenizer, { inputIds, labels, cutOff }: Loaded["sample"]): readonly Piece[] => {
  const context = tokenizer.tokenId(SpecialTokens.imageContext)
  const ids = [...inputIds, ...cutOff]
  const kindAt = (at: number): Piece["as"] =>
    at >= inputIds.length ? "cut" : labels[at] === ignoredLabel ? "read" : "learned"
  const decoder = tokenizer.stream()
  const pieces: Piece[] = []
  for (let at = 0; at < ids.length; at++) {
    const as = kindAt(at)
    let text = decoder.push(ids[at]!)
    const first = at
    if (ids[at] === context) while (ids[at + 1] === context && kindAt(at + 1) === as) at++
    if (at > first) text += ` \u00d7 ${at + 1 - first}`
    // A character of several tokens is shown at its last one, unless another kind of piece begins within it.
    if (kindAt(at + 1) !== as || at + 1 === ids.length) text += decoder.flush()
    if (text !== "") pieces.push({ text, as })
  }
  return pieces
}

const factsOf = ({ sample: { inputIds, answerTokens, cutOff, tiles } }: Loaded, maxLength: number): string => {
  const facts = [
    formatCount(inputIds.length, "token"),
    `${answerTokens} of them learned`,
    formatCount(tiles.count, "tile")
  ]
  return [...facts, ...(cutOff.length === 0 ? [] : [`${cutOff.length} cut off at maxLength ${maxLength}`])].join(", ")
}

/**
 * `wanted` samples that the recipe's seed draws, each as the first epoch makes it: a record that another one takes the place of is
 * named with its reason. Fails as `checkData` does, and with ImageCodecMissing.
 */
export const previewData = Effect.fn("previewData")(function* (checked: CheckedData, wanted: number) {
  const { data, compat, recipe, seed } = checked
  const { meta, percent, maxLength } = data
  const mixture = yield* openTrainingData({ meta, base: dirname(meta), percent, seed: recipe.seed })
  const loader = yield* openSampleLoader({
    ...{ model: recipe.model, index: mixture.index, ...makingOf(data, compat) },
    ...{ seed, dropped: new Set<number>() }
  })
  const nameOf = (sample: number): string => {
    const { file, line } = mixture.origin(sample)
    return `${file}:${line}`
  }
  const drawn = Random.make(recipe.seed, "preview of data").permutation(mixture.count).subarray(0, wanted)
  return yield* Effect.forEach(drawn, (sample) =>
    Effect.matchEffect(loader.sample(sample), {
      onFailure: ({ reason }) =>
        Effect.succeed<Report.Section>({
          ...{ _tag: "Transcript", title: nameOf(sample), paragraphs: [`A stage ends here: ${reason}`] },
          ...{ images: [], pieces: [] }
        }),
      onSuccess: Effect.fnUntraced(function* (loaded) {
        const replaced = loaded.substituted.map(({ at, reason }) => `${at ?? nameOf(sample)} cannot be used: ${reason}`)
        const section: Report.Section = {
          _tag: "Transcript",
          title: nameOf(loaded.made),
          paragraphs: [
            ...replaced,
            ...(replaced.length === 0 ? [] : ["This record takes its place."]),
            factsOf(loaded, maxLength)
          ],
          images: yield* tileImages(loaded.sample.tiles),
          pieces: piecesOf(loader.tokenizer, loaded.sample)
        }
        return section
      })
    })
  )
}, Effect.scoped)
