/** Whatever a file from outside is, its reader says at once what is wrong with it: nothing waits for a pipe, nothing fills the memory. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { benchmarks, findBenchmark, openJournal, readDataFile, readPredictions } from "@speedq/evaluation"
import { Safetensors } from "@speedq/formats"
import { readRunRecord, status } from "@speedq/pipeline"
import {
  checkImage,
  decodeImage,
  loadTokenizer,
  openAnnotations,
  openVideo,
  readDatasetMeta,
  readImageSize,
  readModelConfig
} from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { afterAll, assert, describe, it } from "vitest"
import { copyCompanions } from "../packages/exports/src/exporter/companions.ts"
import { readManifest } from "../packages/pipeline/src/checkpoints/StageManifest.ts"
import { readEvents } from "../packages/pipeline/src/events/readEvents.ts"
import { importModule } from "../packages/speedq/src/modules/importModule.ts"
import { readJson } from "../packages/speedq/src/recipes/loadRecipe.ts"
import { readBlocks } from "../packages/stages/src/calibration/calibration.ts"
import { drawPictures } from "../packages/stages/src/data/calibrationPictures.ts"
import { readLedger } from "../packages/stages/src/data/DataLedger.ts"
import { fileDigest } from "../packages/stages/src/data/fileDigest.ts"
import { torchFiles } from "../packages/stages/src/reference/torchCheckpoint.ts"
import { openTorchFile } from "../packages/stages/src/torch/TorchFile.ts"
import { readStatistics } from "../packages/vlm-model/src/model/imageStatistics.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-outside-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

type Reading = Effect.Effect<unknown, unknown, NodeServices.NodeServices | Scope.Scope>
const sync = (read: () => unknown): Reading => Effect.try({ try: read, catch: (error) => error })

/** A reader of `directory/name`. */
interface Reader {
  readonly name: string
  readonly read: (file: string, directory: string) => Reading
  /** What it says of a file of a tebibyte; a reader that takes any size says nothing. */
  readonly huge?: RegExp | "taken"
  /** What is no file is something else to it, or nothing. */
  readonly takes?: ReadonlyArray<string>
  /** A JSON that would be good but for `"@"`, where values are nested without end. A record of a run is none then. */
  readonly nested?: { readonly json: string; readonly says: RegExp }
}

const benchmark = findBenchmark("nano", benchmarks)!
const tokenizer = { encode: () => [] } as never
const text = { documents: 1, longest: 1, block: 1 }

const readers: { readonly [what: string]: Reader } = {
  recipe: {
    name: "recipe.json",
    read: (file) => readJson(file),
    nested: { json: '{"name": "@"}', says: /nested deeper than 100/ }
  },
  module: { name: "plugin.ts", read: (file) => importModule(file) },
  "model config": {
    name: "config.json",
    read: (_, directory) => sync(() => readModelConfig(directory)),
    nested: { json: '{"vision_config": "@"}', says: /nested deeper than 100/ }
  },
  preprocessor: {
    name: "preprocessor_config.json",
    read: (_, directory) => readStatistics(directory),
    nested: { json: '{"image_mean": "@"}', says: /nested deeper than 100/ }
  },
  "tokenizer.json": {
    name: "tokenizer.json",
    read: (_, directory) => loadTokenizer(directory),
    nested: { json: '{"added_tokens": "@"}', says: /nested deeper than 100/ }
  },
  "tokenizer.model": { name: "tokenizer.model", read: (_, directory) => loadTokenizer(directory) },
  vocabulary: { name: "vocab.json", read: (_, directory) => loadTokenizer(directory) },
  "meta file": {
    name: "meta.json",
    read: (file) => readDatasetMeta(file),
    nested: { json: '{"a": "@"}', says: /nested deeper than 100/ }
  },
  annotations: { name: "records.jsonl", read: (file) => openAnnotations(file), huge: "taken" },
  "compressed annotations": {
    name: "records.jsonl.zst",
    read: (file) => openAnnotations(file),
    huge: /begin as Zstandard/
  },
  picture: { name: "picture.png", read: (file) => decodeImage(file) },
  "picture's size": { name: "picture.png", read: (file) => readImageSize(file) },
  "picture's ends": { name: "picture.png", read: (file) => checkImage(file) },
  video: { name: "video.mp4", read: (file) => openVideo(file), huge: "taken", takes: ["a directory"] },
  "benchmark's data": { name: "data.tsv", read: (file) => readDataFile(file, benchmark) },
  "predictions in tsv": { name: "predictions.tsv", read: (file) => readPredictions(file) },
  "predictions in json": {
    name: "predictions.json",
    read: (file) => readPredictions(file),
    nested: { json: '[{"index": 1, "prediction": "@"}]', says: /nested deeper than 100/ }
  },
  "predictions in xlsx": { name: "predictions.xlsx", read: (file) => readPredictions(file) },
  journal: {
    name: "journal.jsonl",
    read: (file) => openJournal(file, { benchmark: "b", model: "m", settings: "s" })
  },
  safetensors: { name: "model.safetensors", read: (file) => sync(() => Safetensors.openSync(file)), huge: /header/ },
  "index of shards": {
    name: "model.safetensors.index.json",
    read: (file) => sync(() => Safetensors.openModelSync(file)),
    takes: ["a directory"],
    nested: { json: '{"weight_map": "@"}', says: /expected .{|nested deeper/ }
  },
  "torch file": { name: "weights.pt", read: (file) => sync(() => openTorchFile(file)), huge: /not a zip archive/ },
  "index of torch files": {
    name: "pytorch_model.bin.index.json",
    read: (_, directory) => sync(() => torchFiles(directory)),
    nested: { json: '{"weight_map": "@"}', says: /no weight_map/ }
  },
  "calibration text": {
    name: "text.jsonl",
    read: (file) => readBlocks(file, tokenizer, text),
    nested: { json: '{"text": "@"}', says: /nested deeper than 100/ }
  },
  "list of pictures": {
    name: "pictures.txt",
    read: (file) => drawPictures({ images: file, count: 1, maxTiles: 1 }, 1),
    takes: ["a directory"]
  },
  "digest of a file": {
    name: "any.bin",
    read: (file) => Effect.tryPromise({ try: () => fileDigest(file), catch: (error) => error }),
    huge: "taken"
  },
  "companion of a model": {
    name: "README.md",
    read: (_, directory) => copyCompanions(directory, root),
    takes: ["a pipe", "a directory", "a device"]
  },
  "record of a run": { name: "run.json", read: (_, directory) => readRunRecord(directory) },
  "status of a run": { name: "run.json", read: (_, directory) => status(directory) },
  manifest: { name: "manifest.json", read: (_, directory) => readManifest(directory) },
  "log of a run": { name: "events.jsonl", read: (file) => readEvents(file, 2 ** 20), huge: "taken" },
  ledger: {
    name: "data.json",
    read: (_, directory) => readLedger(directory),
    nested: { json: '{"sha256": "a", "ledger": "@"}', says: /damaged/ }
  }
}

/** Larger than anything that is read as a whole, and takes no room on the disk. */
const hugeBytes = 2 ** 40

const made: { readonly [what: string]: (file: string) => void } = {
  "a pipe": (file) => execFileSync("mkfifo", [file]),
  "a directory": (file) => mkdirSync(file),
  "a device": (file) => execFileSync("ln", ["-s", "/dev/zero", file]),
  "a huge file": (file) => {
    writeFileSync(file, "")
    truncateSync(file, hugeBytes)
  }
}

const errorOf = async (reading: Reading): Promise<unknown> => {
  const exit = await Effect.runPromiseExit(Effect.scoped(reading).pipe(Effect.provide(NodeServices.layer)))
  if (Exit.isSuccess(exit)) return assert.fail("it was read")
  assert.isFalse(Cause.hasDies(exit.cause), `a defect: ${Cause.pretty(exit.cause)}`)
  return Cause.squash(exit.cause)
}

describe("JSON that is nested without end", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000)
  const nested = Object.entries(readers).flatMap(([what, reader]) =>
    reader.nested === undefined ? [] : [{ what, ...reader, ...reader.nested }]
  )
  for (const { what, name, read, json, says } of nested) {
    it(`${what} is refused`, async () => {
      const directory = mkdtempSync(join(root, "nested-"))
      const file = join(directory, name)
      writeFileSync(file, json.replace('"@"', deep))
      assert.match(((await errorOf(read(file, directory))) as Error).message, says)
    })
  }
})

describe.skipIf(process.platform === "win32")("a file from outside", () => {
  let count = 0
  for (const [what, { name, read, huge = /(more|longer) than( the)? \d+/, takes = [] }] of Object.entries(readers)) {
    const kinds = Object.keys(made).filter(
      (kind) => !takes.includes(kind) && !(kind === "a huge file" && huge === "taken")
    )
    it(`${what}: ${kinds.join(", ")} is refused at once`, { timeout: 5000 }, async () => {
      for (const kind of kinds) {
        const directory = join(root, `${count++}`)
        mkdirSync(directory)
        const file = join(directory, name)
        made[kind]!(file)
        const error = await errorOf(read(file, directory))
        const { _tag, message } = error as { readonly _tag?: string; readonly message: string }
        assert.isString(_tag, `${kind}: an error without a type: ${message}`)
        assert.include(message, basename(file), kind)
        if (kind === "a huge file") assert.match(message, huge as RegExp)
        else assert.include(message, kind)
      }
    })
  }
})
