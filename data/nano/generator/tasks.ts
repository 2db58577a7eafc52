/** The task types: every question that a scene allows, with its answer, before a language is chosen. */
import type { Attribute, Phrasebook } from "./Phrasebook.ts"
import { colors, digits, type Figure, hanzi, letters, rowWords, type Scene, type Sign, shapes, sizes } from "./Scene.ts"

/** One question about a scene. `key` names its answer in no language; answers of a type are balanced over keys. */
export interface Candidate {
  readonly key: string
  readonly ask: (book: Phrasebook) => string
  readonly reply: (book: Phrasebook) => string
  /** Every answer that could be offered as an option, for the questions that multiple choice is made of. */
  readonly domain?: (book: Phrasebook) => ReadonlyArray<string>
  /** Simpler questions whose answers lead to this one's. */
  readonly steps?: ReadonlyArray<Step>
}

/** A question on the way to another one. */
export interface Step extends Pick<Candidate, "ask" | "reply"> {
  readonly type: "color" | "shape" | "locate"
}

export interface Task {
  /** The keys over which evaluation rows are balanced; empty where answers are too many to list. */
  readonly keys: ReadonlyArray<string>
  readonly candidates: (scene: Scene) => ReadonlyArray<Candidate>
}

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

const yesOrNo = (truth: boolean, ask: Candidate["ask"], steps: ReadonlyArray<Step> = []): Candidate => ({
  key: truth ? "yes" : "no",
  ask,
  reply: (book) => (truth ? book.yes : book.no),
  steps
})

const attributeStep = (attribute: Attribute, { place, cell }: Placed<Figure>): Step => ({
  type: attribute,
  ask: (book) => book.askAttribute(attribute, place),
  reply: (book) => (attribute === "color" ? book.colors[cell.color] : book.shapes[cell.shape])
})
const placeStep = ({ place, name }: Named): Step => ({
  type: "locate",
  ask: (book) => book.askPlace(name(book)),
  reply: (book) => book.places[place]!
})

/** The keys of every task that is answered by yes or no. */
export const yesNoKeys: ReadonlyArray<string> = ["yes", "no"]
const placeKeys = Array.from({ length: 9 }, (_, place) => String(place))

const color: Task = {
  keys: colors,
  candidates: (scene) =>
    figuresOf(scene).map((figure) => ({
      ...attributeStep("color", figure),
      key: figure.cell.color,
      domain: (book) => Object.values(book.colors)
    }))
}

const shape: Task = {
  keys: shapes,
  candidates: (scene) =>
    figuresOf(scene).map((figure) => ({
      ...attributeStep("shape", figure),
      key: figure.cell.shape,
      domain: (book) => Object.values(book.shapes)
    }))
}

const size: Task = {
  keys: sizes,
  candidates: (scene) =>
    figuresOf(scene).map(({ place, cell }) => ({
      key: cell.size,
      ask: (book) => book.askSize(place),
      reply: (book) => book.sizes[cell.size]
    }))
}

const locate: Task = {
  keys: placeKeys,
  candidates: (scene) =>
    [...namedFigures(scene), ...namedSigns(scene)].map((thing) => ({
      ...placeStep(thing),
      key: String(thing.place),
      domain: (book) => book.places
    }))
}

const mostCounted = 4
const count: Task = {
  keys: Array.from({ length: mostCounted + 1 }, (_, n) => String(n)),
  candidates: (scene) => {
    const figures = figuresOf(scene)
    const counted = (n: number, ask: Candidate["ask"]): Candidate => ({ key: String(n), ask, reply: () => String(n) })
    return [
      ...colors.map((c) =>
        counted(figures.filter(({ cell }) => cell.color === c).length, (book) => book.countColor(c))
      ),
      ...shapes.map((s) => counted(figures.filter(({ cell }) => cell.shape === s).length, (book) => book.countShape(s)))
    ].filter(({ key }) => Number(key) <= mostCounted)
  }
}

const exist: Task = {
  keys: yesNoKeys,
  candidates: (scene) => {
    const figures = figuresOf(scene).map(({ cell }) => cell)
    return [
      ...colors.map((c) =>
        yesOrNo(
          figures.some((figure) => figure.color === c),
          (book) => book.askExists(book.colored(c))
        )
      ),
      ...shapes.map((s) =>
        yesOrNo(
          figures.some((figure) => figure.shape === s),
          (book) => book.askExists(book.shaped(s))
        )
      )
    ]
  }
}

const verify: Task = {
  keys: yesNoKeys,
  candidates: (scene) =>
    figuresOf(scene).flatMap((figure) => {
      const { place, cell } = figure
      const seen = { color: [attributeStep("color", figure)], shape: [attributeStep("shape", figure)] }
      return [
        ...colors.map((c) => yesOrNo(c === cell.color, (book) => book.verifyColor(place, c), seen.color)),
        ...shapes.map((s) => yesOrNo(s === cell.shape, (book) => book.verifyShape(place, s), seen.shape))
      ]
    })
}

const compare: Task = {
  keys: yesNoKeys,
  candidates: (scene) => {
    const figures = figuresOf(scene)
    return figures.flatMap((a) =>
      figures
        .filter((b) => b.place !== a.place)
        .flatMap((b) =>
          (["color", "shape"] as const).map((attribute) =>
            yesOrNo(a.cell[attribute] === b.cell[attribute], (book) => book.compare(attribute, a.place, b.place), [
              attributeStep(attribute, a),
              attributeStep(attribute, b)
            ])
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
            yesOrNo(offset > 0, (book) => book.relation(a.name(book), direction, b.name(book)), [
              placeStep(a),
              placeStep(b)
            ])
          )
      })
    )
  }
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
              book.captionPart(
                place,
                cell.kind === "sign" ? cell.glyph : book.figure(cell.size, cell.color, cell.shape)
              )
            )
        )
    }
  ]
}

/** Multiple choice asks one of these with options; its answer is a letter, so it is balanced over letters, not over these keys. */
export const choiceSources = ["color", "shape", "locate"] as const
export const choiceLetters: ReadonlyArray<string> = ["A", "B", "C", "D"]

export const tasks = {
  color,
  shape,
  size,
  locate,
  count,
  exist,
  verify,
  compare,
  relation,
  read,
  word: row("word", rowWords),
  number: row("number", []),
  caption
}

/** `choice` is made of other tasks; every other type is a task of its own. */
export type TaskType = keyof typeof tasks | "choice"
export const taskTypes: ReadonlyArray<TaskType> = [
  ...(["color", "shape", "size", "locate", "count", "exist", "verify", "compare", "relation"] as const),
  ...(["choice", "read", "word", "number", "caption"] as const)
]
