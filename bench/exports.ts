/**
 * Exports of a model directory (`speedq init --config internvl3-1b` makes one), its Linears rounded to nearest: of each format the bytes
 * and the seconds, and the memory that it takes beside the model.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  type DeployedModel,
  decodeExport,
  deployModel,
  ExportNotWritten,
  exporters,
  type SourceModel,
  writeExport
} from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, makeNativeBackend, sizeOf } from "@speedq/tensors"
import {
  embeddingAndHead,
  linearLayers,
  loadWeights,
  type ModelConfig,
  modelTensors,
  openModelDirectory,
  resolveNames,
  towerOf
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Flags, machine } from "./measure.ts"

const quantizers: { readonly [bits: string]: QuantizerChoice | undefined } = {
  2: bilevel({ bits: 2, group: 16, scaleGroup: 16 }),
  4: bilevel({ bits: 4, group: 32, scaleGroup: 128 }),
  none: undefined
}

/** As the recipes of the paper have it: all Linears but the projector's, embedding and head of 4 bits. */
const choicesOf = (config: ModelConfig, choice: QuantizerChoice | undefined) => {
  if (choice === undefined) return new Map<string, QuantizerChoice>()
  const linears = [...linearLayers(config).keys()].filter((layer) => towerOf(layer) !== "projector")
  return new Map<string, QuantizerChoice>([
    ...linears.map((layer) => [layer, choice] as const),
    ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4()] as const)
  ])
}

const openSource = (backend: Backend, path: string): Promise<SourceModel> =>
  Effect.gen(function* () {
    const directory = yield* openModelDirectory(path)
    const { store } = yield* Safetensors.openModel(path)
    const { pieces: stored } = resolveNames(modelTensors(directory.config).keys(), store.tensors.keys())
    return { directory, weights: loadWeights(backend, directory.config, store), stored }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise)

/** Resident bytes, and their peak since the last `forgetPeak`: as Linux counts them. */
const resident = () => {
  const status = readFileSync("/proc/self/status", "utf8")
  const bytesOf = (field: string) => 1024 * Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)![1])
  return { now: bytesOf("VmRSS"), peak: bytesOf("VmHWM") }
}
const forgetPeak = () => writeFileSync("/proc/self/clear_refs", "5")

const written = (format: string, directory: string, source: SourceModel, deployed: DeployedModel) =>
  writeExport(decodeExport({ format }), { source, deployed, directory, recipe: "bench" }).pipe(
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10

/** Writes the model in a format and removes it again. */
const measured = async (format: string, root: string, source: SourceModel, deployed: DeployedModel) => {
  const directory = join(root, format)
  forgetPeak()
  const before = resident().now
  const start = performance.now()
  const used = process.cpuUsage()
  try {
    const { exported } = await written(format, directory, source, deployed)
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(used)
    return {
      format,
      megabytes: megabytes(exported.bytes),
      megabytesOnDisk: megabytes(exported.directoryBytes),
      bitsPerWeight: exported.bitsPerWeight,
      seconds,
      // Of all threads; on a busy machine these tell more.
      processorSeconds: (user + system) / 1e6,
      megabytesBesideModel: megabytes(resident().peak - before),
      relErr: exported.relErr,
      layersFallenBack: exported.layersFallenBack.length
    }
  } catch (error) {
    if (error instanceof ExportNotWritten) return { format, refused: error.reason }
    throw error
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const exports = async (flags: Flags) => {
  const path = flags.text("model")
  if (path === undefined)
    throw new Error('exports needs --model DIR; "speedq init --config internvl3-1b --out DIR" makes one')
  const bits = flags.text("bits") ?? "2"
  if (!(bits in quantizers)) throw new Error(`--bits ${bits}: one of ${Object.keys(quantizers).join(", ")}`)
  const formats = flags.text("formats")?.split(",") ?? exporters.map(({ id }) => id)
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const before = resident().now
  const source = await openSource(backend, path)
  const loaded = resident().now
  forgetPeak()
  const { config } = source.directory
  const deployed = await deployModel(source, {}, { rest: "bf16", nearest: choicesOf(config, quantizers[bits]) })
  const quantizing = resident().peak - loaded
  const root = mkdtempSync(join(flags.text("out") ?? tmpdir(), "speedq-bench-exports-"))
  const rows: object[] = []
  try {
    for (const format of formats) {
      // What the last one left free would hide what this one takes.
      backend.trim()
      const row = await measured(format, root, source, deployed)
      process.stderr.write(`${JSON.stringify(row)}\n`)
      rows.push(row)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  const largest = (names: Iterable<readonly [string, readonly number[]]>) =>
    megabytes(4 * Math.max(...[...names].map(([, shape]) => sizeOf(shape))))
  await backend.close()
  return {
    case: "exports",
    ...machine(),
    backend: backend.name,
    model: path,
    bits,
    megabytesLoaded: megabytes(loaded - before),
    megabytesQuantizing: megabytes(quantizing),
    // In f32.
    megabytesOfLargestTensor: largest(modelTensors(config)),
    megabytesOfLargestLinear: largest(linearLayers(config)),
    rows
  }
}
