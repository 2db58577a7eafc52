/** What tells a question from any other: its text with the options, and its pictures. An answer stands as long as it stays the same. */
import { createHash } from "node:crypto"
import { fileDigest } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { Benchmark } from "../benchmarks/Benchmark.ts"
import type { DataFile, DataRow } from "../data/DataFile.ts"
import { picturePath, type RowImageOptions } from "../data/rowImages.ts"

/** SHA-256 of a picture's file. A file that cannot be read is like no other: its row is met again when it is asked. */
const pictureDigest = (file: string): Effect.Effect<string> =>
  fileDigest(file).pipe(
    Effect.map(({ sha256 }) => sha256),
    Effect.catch(({ message }) => Effect.succeed(message))
  )

const pictureDigests = (data: DataFile, { image }: DataRow, options: RowImageOptions) => {
  if (image.kind === "cell") return Effect.succeed([image.sha256])
  return Effect.forEach(image.kind === "files" ? image.paths : [], (path) =>
    pictureDigest(picturePath(data, path, options))
  )
}

/**
 * SHA-256, hexadecimal, of what a row's question shows: index, prompt, encoded pictures. The model, and what a benchmark sets for all
 * of its rows, are not in it.
 *
 * @example const digest = yield* questionDigest(mmStar, data, data.rows[0]!)
 */
export const questionDigest = Effect.fnUntraced(function* (
  benchmark: Benchmark,
  data: DataFile,
  row: DataRow,
  options: RowImageOptions = {}
) {
  const pictures = yield* pictureDigests(data, row, options)
  // The names of the files decide which pictures went through a JPEG.
  const names = options.imageStore === "jpeg75" ? (row.cells.get("image_path") ?? "") : ""
  return createHash("sha256")
    .update(JSON.stringify([row.index, benchmark.prompt(row), pictures, names]))
    .digest("hex")
})
