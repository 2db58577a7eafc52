/** One kind of input: good files of it, and what reads them. */
import type * as Effect from "effect/Effect"

/** Files by their names below a directory. */
export type Files = Readonly<Record<string, Uint8Array>>

export interface Target {
  readonly name: string
  /** Good inputs; in each case one file of one of them is changed. */
  readonly samples: readonly Files[]
  /** Which files are changed; all by default. */
  readonly changed?: RegExp
  /** Reads the files in `directory`, the changed one is `file`. What it gives are complaints: what it read is not what it may read. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most readers have no complaint to give.
  readonly read: (
    directory: string,
    file: string
  ) => Effect.Effect<string | void, unknown> | Promise<string | void> | string | void
}

/** A target is made in its own directory, with samples that take time to make. */
export type MakeTarget = (scratch: string) => Promise<Target> | Target
