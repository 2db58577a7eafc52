/** Files of data: records, tables, predictions, pictures. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { nano, openJournal, readDataFile, readPredictions, rowImages, writePredictions } from "@speedq/evaluation"
import { readPieces } from "@speedq/formats"
import {
  decodeImage,
  encodeConversation,
  loadTokenizer,
  openAnnotations,
  readDatasetMeta,
  readImageHeader
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Files, MakeTarget } from "../Target.ts"
import { eachOf, filesIn } from "./models.ts"

/** The first lines of a file. */
const head = (bytes: Uint8Array, lines: number): Uint8Array =>
  Buffer.from(`${new TextDecoder().decode(bytes).split("\n").slice(0, lines).join("\n")}\n`)

/** Pictures that a test would decode in milliseconds. */
const maxPixels = 1_000_000

export const meta: MakeTarget = () => ({
  name: "meta",
  samples: [filesIn("data/nano", /^datasets\.json$/)],
  read: (directory) => Effect.asVoid(readDatasetMeta(join(directory, "datasets.json")))
})

export const records: MakeTarget = async () => {
  const tokenizer = await Effect.runPromise(loadTokenizer("data/nano/tokenizer"))
  const options = { tokenizer, tokensPerTile: 9, maxLength: 256, spelledOut: "text" } as const
  return {
    name: "records",
    samples: Object.entries(filesIn("data/nano", /\.jsonl$/)).map(([, bytes]) => ({ "records.jsonl": head(bytes, 4) })),
    // A record that cannot be used is told; the chat template takes the others.
    read: (directory) =>
      Effect.gen(function* () {
        const file = yield* openAnnotations(join(directory, "records.jsonl"))
        for (let line = 0; line < file.lines; line++) {
          const record = yield* Effect.option(file.read(line))
          if (record._tag === "Some") encodeConversation(record.value.conversations, [1], options)
        }
      }).pipe(Effect.scoped)
  }
}

const short = () => filesIn("data/nano/evaluation", /^short\.tsv$/)["short.tsv"]!

export const table: MakeTarget = () => ({
  name: "table",
  samples: [
    { "questions.tsv": head(short(), 4) },
    {
      "questions.tsv": Buffer.from(
        `index\tquestion\tA\tB\tanswer\tcategory\timage\n0\tq\t1\t2.5\tA\tc\t${"QUJD".repeat(20)}\n1\t"a ""b""\tc"\t\tTrue\tB\tc\t0\n`
      )
    },
    {
      "questions.tsv": Buffer.from(
        "index\tquestion\tanswer\tcategory\timage_path\n0\tq\tA\tc\t['a.png', \"b\\x41\\u1234.png\"]\n"
      )
    }
  ],
  read: (directory) =>
    Effect.gen(function* () {
      const data = yield* readDataFile(join(directory, "questions.tsv"), nano)
      for (const row of data.rows) yield* Effect.result(rowImages(data, row, { maxPixels }))
    })
})

const predictionFiles: Files = {
  "records.json": Buffer.from('[{"index":0,"prediction":"yes"},{"index":1,"prediction":NaN}]'),
  "columns.json": Buffer.from('{"index":{"0":1,"1":2},"prediction":{"0":"a","1":"b"}}'),
  "split.json": Buffer.from('{"columns":["index","prediction"],"data":[[0,"x"],[1,-Infinity]]}'),
  "table.tsv": Buffer.from('index\tprediction\n0\tyes\n1\t"a\tb"\n')
}

export const predictions: MakeTarget = () => ({
  name: "predictions",
  samples: eachOf(predictionFiles),
  read: (directory, file) => Effect.asVoid(readPredictions(join(directory, file)))
})

export const sheet: MakeTarget = async (scratch) => {
  const file = join(scratch, "predictions.xlsx")
  const answered = new Map([["0", "yes"]])
  const data = Effect.gen(function* () {
    const read = yield* readDataFile("data/nano/evaluation/short.tsv", nano)
    yield* writePredictions(file, read, read.rows.slice(0, 3), answered)
  })
  await Effect.runPromise(data)
  return {
    name: "xlsx",
    samples: [{ "predictions.xlsx": readFileSync(file) }],
    read: (directory, name) => Effect.asVoid(readPredictions(join(directory, name)))
  }
}

export const journal: MakeTarget = async (scratch) => {
  const key = { benchmark: "b", model: "m", settings: "s" }
  const file = join(scratch, "journal.jsonl")
  const answers = [0, 1, 2].map((index) => ({ index: `${index}`, prediction: "yes", question: `q${index}` }))
  const write = Effect.flatMap(openJournal(file, key), ({ append }) => Effect.forEach(answers, append))
  await Effect.runPromise(Effect.scoped(write))
  return {
    name: "journal",
    samples: [{ "journal.jsonl": readFileSync(file) }],
    read: (directory) =>
      Effect.map(openJournal(join(directory, "journal.jsonl"), key), ({ answered }) => {
        const known = new Set(answers.map((answer) => JSON.stringify(answer)))
        const wrong = [...answered.values()].find((answer) => !known.has(JSON.stringify(answer)))
        return wrong && `an answer that nobody gave: ${JSON.stringify(wrong)}`
      }).pipe(Effect.scoped)
  }
}

const pictures = () =>
  Object.entries(filesIn("packages/vlm-model/test/fixtures/images")).filter(([, { length }]) => length < 20_000)

export const pictureHeaders: MakeTarget = () => ({
  name: "picture header",
  samples: eachOf(Object.fromEntries(pictures())),
  read: (directory, file) =>
    Effect.asVoid(readImageHeader(readFileSync(join(directory, file)), { maxPixels, name: file }))
})

export const picturePixels: MakeTarget = () => ({
  name: "picture",
  samples: eachOf(Object.fromEntries(pictures())),
  read: (directory, file) =>
    Effect.map(decodeImage(join(directory, file), { maxPixels }), ({ data, width, height }) =>
      data.length === width * height * 3 ? undefined : `${width}x${height} has ${data.length} bytes`
    )
})

export const compressed: MakeTarget = () => ({
  name: "zstandard",
  samples: eachOf(filesIn("packages/formats/test/fixtures", /\.zst$/), "lines.zst"),
  read: async (directory) => {
    for await (const piece of readPieces(join(directory, "lines.zst"))) void piece
  }
})
