/** The task types: every question that a scene allows, with its answer, before a language is chosen. */
import { type Task as CommonTask, yesNoKeys, yesOrNo } from "../../common/Task.ts"
import type { Attribute, Phrasebook } from "./Phrasebook.ts"
import { colors, digits, type Figure, hanzi, letters, rowWords, type Scene, type Sign, shapes } from "./Scene.ts"

type Task = CommonTask<Scene, Phrasebook>

interface Placed<A> {
  readonly place: number
  readonly cell: A
}
const isFigure = (placed: Placed<Scene["cells"][number]>): placed is Placed<Figure> => placed.cell?.kind === "figure"
const isSign = (placed: Placed<Scene["cells"][number]>): placed is Placed<Sign> => placed.cell?.kind === "sign"
const placed = (scene: Scene) => scene.cells.map((cell, place) => ({ place, cell }))
const figuresOf = (scene: Scene): ReadonlyArray<Placed<Figure>> => placed(scene).filter(isFigure)
const signsOf = (scene: Scene): ReadonlyArray<Placed<Sign>> => placed(scene).filter(isSign)

/** Something in the picture that one word names: the only figure of its colour, the only one of its shape, or a sign. */
interface Named {
  readonly place: number
  readonly name: (book: Phrasebook) => string
}

const namedFigures = (scene: Scene): ReadonlyArray<Named> => {
  const all = figuresOf(scene)
  const only = (attribute: Attribute, { cell }: Placed<Figure>): boolean =>
    all.filter((other) => other.cell[attribute] === cell[attribute]).length === 1
  return all.flatMap((figure) => {
    const { place, cell } = figure
    return [
      ...(only("color", figure) ? [{ place, name: (book: Phrasebook) => book.colored(cell.color) }] : []),
      ...(only("shape", figure) ? [{ place, name: (book: Phrasebook) => book.shaped(cell.shape) }] : [])
    ]
  })
}
const namedSigns = (scene: Scene): ReadonlyArray<Named> => {
  const all = signsOf(scene)
  const once = all.filter(({ cell }) => all.filter((other) => other.cell.glyph === cell.glyph).length === 1)
  return once.map(({ place, cell }) => ({ place, name: () => cell.glyph }))
}

const attributeName = (attribute: Attribute, { cell }: Placed<Figure>, book: Phrasebook): string =>
  attribute === "color" ? book.colors[cell.color] : book.shapes[cell.shape]

const placedName = (attribute: Attribute, figure: Placed<Figure>, book: Phrasebook): string =>
  book.captionPart(figure.place, attributeName(attribute, figure, book))

const placesOf = (found: ReadonlyArray<{ readonly place: number }>): ReadonlyArray<number> =>
  found.map(({ place }) => place)

const placeKeys = Array.from({ length: 9 }, (_, place) => String(place))

const attributeTask = (attribute: Attribute, keys: ReadonlyArray<string>): Task => ({
  keys,
  candidates: (scene) =>
    figuresOf(scene).map((figure) => ({
      key: figure.cell[attribute],
      ask: (book) => book.askAttribute(attribute, figure.place),
      reply: (book) => attributeName(attribute, figure, book),
      domain: (book) => Object.values(attribute === "color" ? book.colors : book.shapes)
    }))
})
const color = attributeTask("color", colors)
const shape = attributeTask("shape", shapes)

const locate: Task = {
  keys: placeKeys,
  candidates: (scene) =>
    [...namedFigures(scene), ...namedSigns(scene)].map(({ place, name }) => ({
      key: String(place),
      ask: (book) => book.askPlace(name(book)),
      reply: (book) => book.places[place]!,
      domain: (book) => book.places
    }))
}

/** Every colour and every shape with the figures that have it, none included. */
const kinds = (scene: Scene) => {
  const figures = figuresOf(scene)
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

const mostCounted = 4
const count: Task = {
  keys: Array.from({ length: mostCounted + 1 }, (_, n) => String(n)),
  candidates: (scene) =>
    kinds(scene)
      .filter(({ found }) => found.length <= mostCounted)
      .map(({ found, name, count: ask }) => ({
        key: String(found.length),
        ask,
        reply: () => String(found.length),
        evidence: (book) => book.foundAt(name(book), placesOf(found))
      }))
}

const exist: Task = {
  keys: yesNoKeys,
  candidates: (scene) =>
    kinds(scene).map(({ found, name, one }) =>
      yesOrNo(
        found.length > 0,
        (book) => book.askExists(one(book)),
        (book) => book.foundAt(name(book), placesOf(found))
      )
    )
}

const verify: Task = {
  keys: yesNoKeys,
  candidates: (scene) =>
    figuresOf(scene).flatMap((figure) => {
      const { place, cell } = figure
      return [
        ...colors.map((c) =>
          yesOrNo(
            c === cell.color,
            (book: Phrasebook) => book.verifyColor(place, c),
            (book) => placedName("color", figure, book)
          )
        ),
        ...shapes.map((s) =>
          yesOrNo(
            s === cell.shape,
            (book: Phrasebook) => book.verifyShape(place, s),
            (book) => placedName("shape", figure, book)
          )
        )
      ]
    })
}

const compare: Task = {
  keys: yesNoKeys,
  candidates: (scene) => {
    const figures = figuresOf(scene)
    const pairs = figures.flatMap((a) => figures.filter((b) => b !== a).map((b) => [a, b] as const))
    return pairs.flatMap(([a, b]) =>
      (["color", "shape"] as const).map((attribute) =>
        yesOrNo(
          a.cell[attribute] === b.cell[attribute],
          (book) => book.compare(attribute, a.place, b.place),
          (book) => book.list([placedName(attribute, a, book), placedName(attribute, b, book)])
        )
      )
    )
  }
}

const relation: Task = {
  keys: yesNoKeys,
  candidates: (scene) => {
    const things = namedFigures(scene)
    return things.flatMap((a) =>
      things.flatMap((b) => {
        const columns = (a.place % 3) - (b.place % 3)
        const rows = Math.floor(a.place / 3) - Math.floor(b.place / 3)
        const asked = [
          { direction: "left", offset: -columns },
          { direction: "right", offset: columns },
          { direction: "above", offset: -rows },
          { direction: "below", offset: rows }
        ] as const
        // Things in one column are neither left nor right of each other: such pairs are not asked about.
        return asked
          .filter(({ offset }) => offset !== 0)
          .map(({ direction, offset }) =>
            yesOrNo(
              offset > 0,
              (book) => book.relation(a.name(book), direction, b.name(book)),
              (book) => book.list([a, b].map(({ name, place }) => book.foundAt(name(book), [place])))
            )
          )
      })
    )
  }
}

/**
 * What is where by colour or by shape: each one that occurs, in a fixed order, with the places that have it. The counterpart of a
 * caption: there a place is followed by what is in it, here a thing by where it is.
 */
const sort: Task = {
  keys: [],
  candidates: (scene) =>
    (["color", "shape"] as const).map((attribute) => ({
      key: attribute,
      ask: (book) => book.askSorted(attribute),
      reply: (book) =>
        book.caption(
          kinds(scene)
            .filter((kind) => kind.attribute === attribute && kind.found.length > 0)
            .map(({ name, found }) => book.foundAt(name(book), placesOf(found)))
        )
    }))
}

const read: Task = {
  keys: [...letters, ...digits, ...hanzi],
  candidates: (scene) =>
    signsOf(scene).map(({ place, cell }) => ({
      key: cell.glyph,
      ask: (book) => book.askSign(place),
      reply: () => cell.glyph
    }))
}

const row = (kind: "word" | "number", keys: ReadonlyArray<string>): Task => ({
  keys,
  candidates: ({ writing }) =>
    writing?.kind === kind
      ? [{ key: writing.text, ask: (book) => book.askRow(kind, writing.row), reply: () => writing.text }]
      : []
})

const caption: Task = {
  keys: [],
  candidates: (scene) => [
    {
      key: "caption",
      ask: (book) => book.askCaption,
      reply: (book) =>
        book.caption(
          [...figuresOf(scene), ...signsOf(scene)]
            .sort((a, b) => a.place - b.place)
            .map(({ place, cell }) =>
              book.captionPart(place, cell.kind === "sign" ? cell.glyph : book.figure(cell.color, cell.shape))
            )
        )
    }
  ]
}

/** Multiple choice asks one of these with options; its answer is a letter, so it is balanced over letters, not over these keys. */
export const choiceSources = ["color", "shape", "locate"] as const

export const tasks = {
  color,
  shape,
  locate,
  count,
  exist,
  verify,
  compare,
  relation,
  read,
  word: row("word", rowWords),
  number: row("number", []),
  sort,
  caption
}

/** `choice` is made of other tasks; every other type is a task of its own. */
export type TaskType = keyof typeof tasks | "choice"
export const taskTypes: ReadonlyArray<TaskType> = [
  ...(["color", "shape", "locate", "count", "exist", "verify", "compare", "relation"] as const),
  ...(["choice", "read", "word", "number", "sort", "caption"] as const)
]

/**
 * Types of short answers that the evaluation set asks: those that the shipped teacher has learned. What two things have in common
 * (`compare`), how they lie to each other (`relation`) and lists (`sort`) occur in its training alone.
 */
export const evaluatedTypes: ReadonlyArray<TaskType> = [
  ...(["color", "shape", "locate", "count", "exist", "verify", "choice", "read", "word", "number"] as const)
]
