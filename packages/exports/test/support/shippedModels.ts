/** The models that this repository ships, and a question of each kind in each language that consumers of their exports are asked. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Random } from "@speedq/tensors"
import { encodePng } from "../../../../data/common/encodePng.ts"
import { languages } from "../../../../data/common/Task.ts"
import { shippedSeed } from "../../../../data/micro/generator/dataset.ts"
import { itemsOf } from "../../../../data/micro/generator/evaluation.ts"
import { evaluatedTypes, renderScene } from "../../../../data/micro/generator/index.ts"

export interface ModelQuestion {
  readonly kind: string
  readonly question: string
  /** PNG of one tile. */
  readonly picture: Uint8Array
}

export interface ShippedModel {
  readonly name: string
  readonly directory: string
  /** Kinds in the order of the data set, English before Chinese. */
  readonly questions: () => Promise<readonly ModelQuestion[]>
  /** Why it cannot be asked; undefined where it can. */
  readonly missing: string | undefined
}

const data = new URL("../../../../data/", import.meta.url).pathname
const letters = ["A", "B", "C", "D"]

const asked = (text: string, options: readonly string[]): string =>
  [text, ...options.map((option, at) => `${letters[at]}. ${option}`)].join("\n")

const rowsOf = (name: string): readonly Readonly<Record<string, string>>[] => {
  const [head = [], ...lines] = readFileSync(join(data, "nano/evaluation", name), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"))
  return lines.map((cells) => Object.fromEntries(cells.map((cell, at) => [head[at]!, cell])))
}

const nanoQuestions = async (): Promise<readonly ModelQuestion[]> => {
  const rows = [...rowsOf("short.tsv"), ...rowsOf("caption.tsv")]
  const kinds = [...new Set(rows.map((row) => row["category"]!))]
  return kinds.flatMap((kind) =>
    ["en", "zh"].map((language): ModelQuestion => {
      const row = rows.find((each) => each["category"] === kind && each["l2-category"] === language)!
      const options = letters.flatMap((letter) => row[letter] || [])
      return { kind, question: asked(row["question"]!, options), picture: Buffer.from(row["image"]!, "base64") }
    })
  )
}

/** Its pictures are not shipped: the generator draws them. */
const microQuestions = async (): Promise<readonly ModelQuestion[]> => {
  const oneTile = [1, 0, 0] as const
  const items = [...evaluatedTypes, "caption" as const].flatMap((kind) =>
    languages.map((language) => {
      const random = Random.make(shippedSeed, `exports ${kind} ${language}`)
      const [item] = itemsOf(random, "evaluation", kind, language, 1, oneTile)
      return { kind, ...item! }
    })
  )
  return Promise.all(
    items.map(async ({ kind, scene, question: { text, options } }) => ({
      kind,
      question: asked(text, options),
      picture: await encodePng(renderScene(scene))
    }))
  )
}

const shipped = (name: string, questions: ShippedModel["questions"]): ShippedModel => {
  const directory = join(data, name, "model")
  const weights = join(directory, "model.safetensors")
  return { name, directory, questions, missing: existsSync(weights) ? undefined : `data/${name}/model has no weights` }
}

export const shippedNano = shipped("nano", nanoQuestions)
export const shippedModels: readonly ShippedModel[] = [shippedNano, shipped("micro", microQuestions)]
