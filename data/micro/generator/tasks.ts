/** The task types: every question that a scene allows, with its answer, before a language is chosen. */
import { type Candidate, type Task as CommonTask, yesNoKeys, yesOrNo } from "../../common/Task.ts"
import type { Attribute, Phrasebook, Side } from "./Phrasebook.ts"
import {
  type Big,
  cellsPerTile,
  colors,
  type Dots,
  type Figure,
  type Pair,
  type Scene,
  shapes,
  type Text,
  type Thing
} from "./Scene.ts"

type Task = CommonTask<Scene, Phrasebook>

/** A thing with the name of its place. */
interface Placed<A> {
  readonly place: number
  readonly cell: A
  readonly at: (book: Phrasebook) => string
}

/** "north", or "second north" in a picture of two tiles. */
const placeName =
  ({ layout }: Scene, place: number) =>
  (book: Phrasebook): string => {
    const name = book.places[place % cellsPerTile]!
    return layout === "single" ? name : `${book.tiles[Math.floor(place / cellsPerTile)]} ${name}`
  }

const thingsOf = (scene: Scene): ReadonlyArray<Placed<Thing>> =>
  scene.cells.flatMap((cell, place) => (cell === undefined ? [] : [{ place, cell, at: placeName(scene, place) }]))

const only =
  <A extends Thing>(...kinds: ReadonlyArray<Thing["kind"]>) =>
  (scene: Scene): ReadonlyArray<Placed<A>> =>
    thingsOf(scene).filter((placed): placed is Placed<A> => kinds.includes(placed.cell.kind))
const bigOf = only<Big>("big")
const pairsOf = only<Pair>("pair")
const dotsOf = only<Dots>("dots")
const textsOf = only<Text>("letters", "digits")

const attributeName = (attribute: Attribute, { color, shape }: Figure, book: Phrasebook): string =>
  attribute === "color" ? book.colors[color] : book.shapes[shape]
const figureName = ({ color, shape }: Figure, book: Phrasebook): string => book.figure(color, shape)

const attributeTask = (attribute: Attribute, keys: ReadonlyArray<string>): Task => ({
  keys,
  candidates: (scene) =>
    bigOf(scene).map(({ cell, at }) => ({
      key: cell[attribute],
      ask: (book) => book.askAttribute(attribute, at(book)),
      reply: (book) => attributeName(attribute, cell, book),
      domain: (book) => Object.values(attribute === "color" ? book.colors : book.shapes)
    }))
})
const color = attributeTask("color", colors)
const shape = attributeTask("shape", shapes)

const sides: ReadonlyArray<Side> = ["left", "right"]
/** One of the two figures that share a cell. */
const side: Task = {
  keys: shapes,
  candidates: (scene) =>
    pairsOf(scene).flatMap(({ cell, at }) =>
      sides.map((asked) => ({
        key: cell[asked].shape,
        ask: (book: Phrasebook) => book.askSide(asked, at(book)),
        reply: (book: Phrasebook) => figureName(cell[asked], book)
      }))
    )
}

const mostDots = 6
const dots: Task = {
  keys: Array.from({ length: mostDots }, (_, n) => String(n + 1)),
  candidates: (scene) =>
    dotsOf(scene).map(({ cell, at }) => ({
      key: String(cell.count),
      ask: (book) => book.askDots(at(book)),
      reply: () => String(cell.count),
      domain: () => dots.keys
    }))
}

/** Text of letters (`read`) or of digits (`number`). */
const text = (kind: Text["kind"]): Task => ({
  keys: [],
  candidates: (scene) =>
    textsOf(scene)
      .filter(({ cell }) => cell.kind === kind)
      .map(({ cell, at }) => ({ key: cell.text, ask: (book) => book.askText(at(book)), reply: () => cell.text }))
})

/** Every colour and every shape with the big figures that have it, none included. */
const kinds = (scene: Scene) => {
  const figures = bigOf(scene)
  return [
    ...colors.map((c) => ({
      attribute: "color" as const,
      found: figures.filter(({ cell }) => cell.color === c),
      name: (book: Phrasebook) => book.colors[c],
      count: (book: Phrasebook) => book.countColor(c),
      one: (book: Phrasebook) => book.colored(c)
    })),
    ...shapes.map((s) => ({
      attribute: "shape" as const,
      found: figures.filter(({ cell }) => cell.shape === s),
      name: (book: Phrasebook) => book.shapes[s],
      count: (book: Phrasebook) => book.countShape(s),
      one: (book: Phrasebook) => book.shaped(s)
    }))
  ]
}
type Kind = ReturnType<typeof kinds>[number]
const foundAt = ({ name, found }: Kind, book: Phrasebook): string =>
  book.foundAt(
    name(book),
    found.map(({ at }) => at(book))
  )

const locate: Task = {
  keys: Array.from({ length: cellsPerTile }, (_, place) => String(place)),
  candidates: (scene) =>
    kinds(scene).flatMap(({ found, one }) =>
      found.length !== 1
        ? []
        : found.map(({ place, at }) => ({
            key: String(place % cellsPerTile),
            ask: (book: Phrasebook) => book.askPlace(one(book)),
            reply: at,
            domain: (book: Phrasebook) => scene.cells.map((_, other) => placeName(scene, other)(book))
          }))
    )
}

const mostCounted = 4
const count: Task = {
  keys: Array.from({ length: mostCounted + 1 }, (_, n) => String(n)),
  candidates: (scene) =>
    kinds(scene)
      .filter(({ found }) => found.length <= mostCounted)
      .map((kind) => ({
        key: String(kind.found.length),
        ask: kind.count,
        reply: () => String(kind.found.length),
        evidence: (book) => foundAt(kind, book)
      }))
}

const exist: Task = {
  keys: yesNoKeys,
  candidates: (scene) =>
    kinds(scene).map((kind) =>
      yesOrNo(
        kind.found.length > 0,
        (book) => book.askExists(kind.one(book)),
        (book) => foundAt(kind, book)
      )
    )
}

const verify: Task = {
  keys: yesNoKeys,
  candidates: (scene) =>
    bigOf(scene).flatMap(({ cell, at }): ReadonlyArray<Candidate<Phrasebook>> => {
      const placed = (attribute: Attribute) => (book: Phrasebook) =>
        book.captionPart(at(book), attributeName(attribute, cell, book))
      return [
        ...colors.map((c) =>
          yesOrNo(c === cell.color, (book: Phrasebook) => book.verifyColor(at(book), c), placed("color"))
        ),
        ...shapes.map((s) =>
          yesOrNo(s === cell.shape, (book: Phrasebook) => book.verifyShape(at(book), s), placed("shape"))
        )
      ]
    })
}

/** What is where by colour or by shape: the counterpart of a caption, which goes from places to things. */
const sort: Task = {
  keys: [],
  candidates: (scene) =>
    bigOf(scene).length === 0
      ? []
      : (["color", "shape"] as const).map((attribute) => ({
          key: attribute,
          ask: (book) => book.askSorted(attribute),
          reply: (book) =>
            book.caption(
              kinds(scene)
                .filter((kind) => kind.attribute === attribute && kind.found.length > 0)
                .map((kind) => foundAt(kind, book))
            )
        }))
}

const thingName = (cell: Thing, book: Phrasebook): string => {
  if (cell.kind === "big") return figureName(cell, book)
  if (cell.kind === "pair") return book.pair(figureName(cell.left, book), figureName(cell.right, book))
  return cell.kind === "dots" ? book.dots(cell.count, cell.color) : cell.text
}

const caption: Task = {
  keys: [],
  candidates: (scene) => [
    {
      key: "caption",
      ask: (book) => book.askCaption,
      reply: (book) =>
        book.caption(thingsOf(scene).map(({ cell, at }) => book.captionPart(at(book), thingName(cell, book))))
    }
  ]
}

export const tasks = {
  ...{ color, shape, side, dots, read: text("letters"), number: text("digits") },
  ...{ locate, count, exist, verify, sort, caption }
}
export type TaskType = keyof typeof tasks

/** Multiple choice asks one of these with options. */
export const choiceSources: ReadonlyArray<TaskType> = ["color", "shape", "dots", "locate"]

/** Types of short answers that the evaluation sets ask. */
export const evaluatedTypes: ReadonlyArray<TaskType | "choice"> = [
  ...(["color", "shape", "side", "dots", "read", "number", "locate", "count", "exist", "verify", "choice"] as const)
]
export const taskTypes: ReadonlyArray<TaskType | "choice"> = [...evaluatedTypes, "sort", "caption"]
