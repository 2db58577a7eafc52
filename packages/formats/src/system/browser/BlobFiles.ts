/** The files that a page was given: by names below a directory that exists in this table alone. */

/** The part of a Blob that is used here: the type library of Node, which this package is compiled with, has another one. */
export interface BlobLike {
  readonly size: number
  readonly slice: (start: number, end: number) => BlobLike
  readonly arrayBuffer: () => Promise<ArrayBuffer>
}

const files = new Map<string, BlobLike>()

/** Makes blobs the files of a directory, in the place of those that were. Paths are `DIRECTORY/NAME`. */
export const provideFiles = (directory: string, blobs: Iterable<readonly [name: string, blob: BlobLike]>): void => {
  for (const path of [...files.keys()]) if (path.startsWith(`${directory}/`)) files.delete(path)
  for (const [name, blob] of blobs) files.set(`${directory}/${name}`, blob)
}

/** The file at a path. */
export const blobAt = (path: string): BlobLike | undefined => files.get(path)

/** Names of the files in a directory. */
export const blobsIn = (directory: string): readonly string[] =>
  [...files.keys()].flatMap((path) => (path.startsWith(`${directory}/`) ? [path.slice(directory.length + 1)] : []))
