/** What one language needs to ask and answer every task. */
import type { CommonPhrases } from "../../common/Task.ts"
import type { Color, Shape } from "./Scene.ts"

export type Direction = "left" | "right" | "above" | "below"
export type Attribute = "color" | "shape"

/** Phrases separate words by spaces; `write` makes text of them. */
export interface Phrasebook extends CommonPhrases {
  /** Names of the nine cells in reading order. */
  readonly places: ReadonlyArray<string>
  readonly colors: Readonly<Record<Color, string>>
  readonly shapes: Readonly<Record<Shape, string>>
  readonly yes: string
  readonly no: string
  /** A thing named by its colour alone, or by its shape alone. */
  readonly colored: (color: Color) => string
  readonly shaped: (shape: Shape) => string
  readonly askAttribute: (attribute: Attribute, place: number) => string
  readonly askPlace: (thing: string) => string
  readonly countColor: (color: Color) => string
  readonly countShape: (shape: Shape) => string
  readonly askExists: (thing: string) => string
  readonly verifyColor: (place: number, color: Color) => string
  readonly verifyShape: (place: number, shape: Shape) => string
  readonly compare: (attribute: Attribute, first: number, second: number) => string
  readonly relation: (first: string, direction: Direction, second: string) => string
  readonly askSign: (place: number) => string
  readonly askRow: (kind: "word" | "number", row: number) => string
  readonly list: (items: ReadonlyArray<string>) => string
  /** A colour, a shape or a sign with the places that have it. */
  readonly foundAt: (name: string, places: ReadonlyArray<number>) => string
  readonly askSorted: (attribute: Attribute) => string
  readonly askCaption: string
  /** The caption of a picture from the names of what is in it, each already with its place. */
  readonly caption: (parts: ReadonlyArray<string>) => string
  readonly captionPart: (place: number, thing: string) => string
  readonly figure: (color: Color, shape: Shape) => string
}
