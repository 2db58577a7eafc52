/** Checks data with the progress shown on standard error, and writes what was asked for beside the result. */
import { AtomicFile } from "@speedq/formats"
import { whileDoing } from "@speedq/pipeline"
import { checkData, checkSource, SampleWorkers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { progress } from "../command/progress.ts"
import { type LineOfCheck, linesOf } from "./checkJson.ts"
import type { Checked } from "./checkTarget.ts"
import { previewPage } from "./previewPage.ts"

interface CheckRequest {
  readonly decode: boolean
  /** Samples of the preview, and its file; undefined for none. */
  readonly preview: { readonly samples: number; readonly file: string } | undefined
  /** File for the lines that are named. */
  readonly out: string | undefined
}

const write = (what: string, file: string, text: string) =>
  whileDoing(what, file)(AtomicFile.writeWhole(file, new TextEncoder().encode(text)))

const asJsonLines = (lines: readonly LineOfCheck[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join("")

/** Checks each mixture, and what else is read; fails as `checkData`, `checkSource` and `previewData` do, and with StorageFailed. */
export const checkAll = Effect.fn("checkAll")(
  function* ({ data, sources }: Checked, { decode, preview, out }: CheckRequest) {
    const others = yield* Effect.forEach(sources, checkSource)
    const checks = yield* Effect.forEach(data, (each) => checkData(each, { decode }))
    if (out !== undefined) yield* write("write the lines that are named", out, asJsonLines(checks.flatMap(linesOf)))
    if (preview !== undefined) {
      yield* write("write the preview", preview.file, yield* previewPage(data, preview.samples))
    }
    return { checks, others }
  },
  (self) => Effect.provide(self, Layer.merge(SampleWorkers.layer(), progress))
)
