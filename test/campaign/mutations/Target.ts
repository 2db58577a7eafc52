/** One kind of input: good files of it, and what reads them. */
/** Files by their names below a directory. */
export type Files = Readonly<Record<string, Uint8Array>>

export interface Target {
  readonly name: string
  /** Good inputs; in each case one file of one of them is changed. */
  readonly samples: readonly Files[]
  /** Which files are changed; all by default. */
  readonly changed?: RegExp
  /**
   * Reads the files in `directory`, the changed one is `file`: an effect, a promise or at once. A text that it gives is a complaint:
   * what was read is not what may be read.
   */
  readonly read: (directory: string, file: string) => unknown
}

/** A target is made in its own directory, with samples that take time to make. */
export type MakeTarget = (scratch: string) => Promise<Target> | Target
