/** What one language needs to ask and answer every task. */
import type { CommonPhrases } from "../../common/Task.ts"
import type { Color, Shape } from "./Scene.ts"

export type Attribute = "color" | "shape"
export type Side = "left" | "right"

/** Phrases separate words by spaces; `write` makes text of them. */
export interface Phrasebook extends CommonPhrases {
  /** Names of the nine cells in reading order. */
  readonly places: ReadonlyArray<string>
  /** Names of the first and the second tile of a picture that has two. */
  readonly tiles: ReadonlyArray<string>
  readonly colors: Readonly<Record<Color, string>>
  readonly shapes: Readonly<Record<Shape, string>>
  readonly yes: string
  readonly no: string
  /** A big figure named by its colour alone, or by its shape alone. */
  readonly colored: (color: Color) => string
  readonly shaped: (shape: Shape) => string
  readonly askAttribute: (attribute: Attribute, place: string) => string
  readonly askSide: (side: Side, place: string) => string
  readonly askText: (place: string) => string
  readonly askDots: (place: string) => string
  readonly askPlace: (thing: string) => string
  readonly countColor: (color: Color) => string
  readonly countShape: (shape: Shape) => string
  readonly askExists: (thing: string) => string
  readonly verifyColor: (place: string, color: Color) => string
  readonly verifyShape: (place: string, shape: Shape) => string
  /** A colour or a shape with the places that have it. */
  readonly foundAt: (name: string, places: ReadonlyArray<string>) => string
  readonly askSorted: (attribute: Attribute) => string
  readonly askCaption: string
  /** The caption of a picture from the names of what is in it, each already with its place. */
  readonly caption: (parts: ReadonlyArray<string>) => string
  readonly captionPart: (place: string, thing: string) => string
  readonly figure: (color: Color, shape: Shape) => string
  readonly pair: (left: string, right: string) => string
  readonly dots: (count: number, color: Color) => string
}
