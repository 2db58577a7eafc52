/** Work whose operations on files were recorded, and what must be there whatever is lost after each of them. */
import type { Operation } from "../../../packages/pipeline/test/toy/operations.ts"
import type { Image, Loss } from "./Disk.ts"

export interface Recorded {
  readonly name: string
  /** Operations below this directory, in their order; images are of it. */
  readonly root: string
  readonly operations: readonly Operation[]
  /** What is wrong with an image after operation `index`, read by the code that wrote it; undefined where nothing is. */
  readonly wrong: (image: Image, index: number, loss: Loss) => Promise<string | undefined>
  /** The same once the work has gone on to its end in `directory`, which holds an image. */
  readonly wrongAfter: (directory: string, index: number) => Promise<string | undefined>
  /** With one of so many different images it goes on. */
  readonly goesOnEvery: number
}
