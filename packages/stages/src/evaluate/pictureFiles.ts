/** Pictures in files of their own, which a benchmark's rows name in a column `image_path`: they are data as the rows are. */
import { open } from "node:fs/promises"
import { type DataFile, type DataRow, picturePath } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { type BenchmarkChoice, openBenchmark } from "./askedRows.ts"

/** Paths of the pictures that rows name, in their order. */
export const namedPictures = (data: DataFile, rows: readonly DataRow[]): readonly string[] =>
  rows.flatMap(({ image }) => (image.kind === "files" ? image.paths.map((path) => picturePath(data, path, {})) : []))

/** A header is in the first bytes, unless it is none. */
const headerBytes = 2 ** 16

/** Whether the rows name files, by the header alone: a file with gigabytes of pictures in it is not read for nothing. */
const namesFiles = async (file: string): Promise<boolean> => {
  const opened = await open(file, "r")
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(headerBytes), 0, headerBytes, 0)
    const [header = ""] = buffer.toString("utf8", 0, bytesRead).split(/\r?\n/, 1)
    const columns = header.split("\t").map((name) => name.replace(/^\uFEFF/, "").replace(/^"(.*)"$/, "$1"))
    return columns.includes("image_path") && !columns.includes("image")
  } finally {
    await opened.close()
  }
}

/** The pictures in files that a benchmark shows. None where its file cannot be read: the preflight says so. */
export const pictureFiles = (choice: BenchmarkChoice) =>
  Effect.tryPromise(() => namesFiles(choice.data)).pipe(
    Effect.flatMap((isNamed) =>
      isNamed
        ? Effect.map(openBenchmark(choice), ({ data, rows }) => namedPictures(data, rows))
        : Effect.succeed<readonly string[]>([])
    ),
    Effect.orElseSucceed((): readonly string[] => [])
  )
