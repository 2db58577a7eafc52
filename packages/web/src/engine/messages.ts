/** What the page and its engine, which runs in a worker, tell each other. */
import type { Activations } from "@speedq/tensors"
import type { ModelIndex } from "../model/ModelIndex.ts"

/** A file with its path in what was chosen or dropped. */
export interface ChosenFile {
  readonly path: string
  readonly blob: Blob
}

/** Where a model comes from. */
export type ModelSource =
  /** The folder beside the page, as it was kept, or as its server gives it. */
  | { readonly kind: "site"; readonly folder: string }
  | { readonly kind: "files"; readonly files: readonly ChosenFile[] }
  /** Files that were kept before. */
  | { readonly kind: "kept" }

/** A model that is kept: that of the folder beside the page, or that of files. */
export type KeptModel = "site" | "files"

/** Draws of tokens, which are the same for the same seed, whatever was drawn before. */
export interface Sampling {
  /** Logits are divided by it; above 0. */
  readonly temperature: number
  /** Smallest set of most likely tokens with at least this probability is drawn from; in (0, 1]. */
  readonly topP: number
  readonly seed: number
}

export type Computer = "processor" | "graphics"

/** What a model that is open computes on. */
export type ComputingPlace =
  | { readonly computer: "processor"; readonly threads: number }
  | { readonly computer: "graphics"; readonly adapter: string }

/** A graphics processor that WebGPU finds; a program in place of one is `software`. */
export interface Graphics {
  readonly name: string
  readonly software: boolean
}

export type Request =
  | { readonly kind: "look"; readonly page: string; readonly folder: string }
  | {
      readonly kind: "open"
      readonly page: string
      readonly source: ModelSource
      readonly keep: boolean
      readonly computer: Computer
    }
  /** Closes the model that is open. */
  | { readonly kind: "close" }
  | { readonly kind: "forget"; readonly page: string; readonly which: KeptModel }
  | { readonly kind: "picture"; readonly id: number; readonly name: string; readonly blob: Blob }
  | { readonly kind: "removePicture"; readonly id: number }
  | {
      readonly kind: "ask"
      readonly question: string
      readonly pictures: readonly number[]
      readonly maxNewTokens: number
      /** What a token is rounded to before codes multiply it; for a model without codes, f32. */
      readonly activations: Activations
      /** How tokens are drawn; the most likely ones where it is absent. */
      readonly sampling: Sampling | undefined
    }
  /** Ends what was asked for last, the opening of a model or an answer. */
  | { readonly kind: "stop" }
  | { readonly kind: "reset" }

export interface Told {
  /** Name of the error's type. */
  readonly tag: string
  readonly message: string
}

/** A model that can be opened without choosing files. */
export interface Found {
  readonly name: string
  readonly bytes: number
  /** Bytes of it that are kept here already. */
  readonly keptBytes: number
  /** Whether anything is kept for it alone, which can be removed. */
  readonly isRemovable: boolean
}

export interface Opened {
  readonly name: string
  readonly place: ComputingPlace
  /** Bytes of its weights in memory. */
  readonly weightBytes: number
  readonly isKept: boolean
  /** Whether codes multiply: int8 activations are for those. */
  readonly hasCodes: boolean
}

export interface PictureTiles {
  readonly id: number
  readonly width: number
  readonly height: number
  readonly count: number
  /** Side of a tile. */
  readonly size: number
  /** [count, size, size, 3] */
  readonly data: Uint8Array<ArrayBuffer>
}

interface Answered {
  readonly tokens: number
  /** Until the first token. */
  readonly waitedSeconds: number
  /** From the first token to the end. */
  readonly seconds: number
  readonly memoryBytes: number
  readonly peakBytes: number
}

export type Event =
  | {
      readonly kind: "found"
      readonly site: Found | undefined
      readonly kept: Found | undefined
      readonly graphics: Graphics | undefined
    }
  | { readonly kind: "loading"; readonly file: string; readonly done: number; readonly total: number }
  | { readonly kind: "opened"; readonly model: Opened }
  /** The opening was stopped; what has come of the model by then is kept where a model was to be kept. */
  | { readonly kind: "notOpened" }
  | { readonly kind: "forgotten" }
  | { readonly kind: "pictureReady"; readonly picture: PictureTiles }
  | { readonly kind: "pictureFailed"; readonly id: number; readonly error: Told }
  | { readonly kind: "preparing"; readonly tiles: number; readonly of: number; readonly tokens: number }
  | { readonly kind: "piece"; readonly text: string }
  | { readonly kind: "answered"; readonly answer: Answered }
  /** The answer was stopped, or has failed, before it began: the conversation knows nothing of its question. */
  | { readonly kind: "notAsked" }
  | { readonly kind: "failed"; readonly during: "look" | "open" | "ask" | "forget"; readonly error: Told }

/** A model's index with the blobs of its parts, in the order of the index. */
export interface IndexedModel {
  readonly index: ModelIndex
  readonly partBlobs: ReadonlyMap<string, Blob>
}
