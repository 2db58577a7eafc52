/**
 * "onnx": the directory that transformers.js loads, in Node and in browsers: vision_encoder, embed_tokens and decoder_model_merged as graphs
 * for onnxruntime, with codes and scales as small as in the packed form.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { makeDirectories, option } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportNotWritten } from "../Errors.ts"
import type { Exporter, ModelKind, ModelToExport, Refusal } from "../exporter/Exporter.ts"
import { codes, numbers } from "../exporter/Holding.ts"
import { writeLayoutFiles } from "../layouts/layoutExporter.ts"
import type { DeployedModel } from "../model/deployedModel.ts"
import { layersAsNumbers } from "../model/layersAsNumbers.ts"
import { type DType, dtypes, mostDataFiles, transformersJsFiles } from "./files/transformersJs.ts"
import { Graph } from "./graph/Graph.ts"
import { decoder } from "./network/decoder.ts"
import { embedTokens } from "./network/embedTokens.ts"
import { visionEncoder } from "./network/visionEncoder.ts"
import { type DataFile, externalData, noExternalData } from "./protobuf/externalData.ts"
import { lateLength, lengthOf, type Message } from "./protobuf/Message.ts"
import { modelProto, mostBytes } from "./protobuf/onnxMessages.ts"
import { isCoded } from "./weights/codedWeight.ts"
import { type Numbers, numbersOf } from "./weights/Numbers.ts"
import { writeMessage } from "./writeMessage.ts"

const OnnxConfig = Schema.Struct({
  dtype: option(Schema.Literals(["f32", "f16"]), "f32", {
    description:
      "Format of matrices that are not written as codes. `f32` keeps every bit, `f16` takes half the space; both are computed with in f32.",
    source: "chosen here: an export is exact unless asked otherwise"
  }),
  fileBytes: option(Schema.Int.check(Schema.isBetween({ minimum: 4096, maximum: mostBytes })), mostBytes, {
    description:
      "Bytes that a file has at most. Of a graph that would have more, the weights are in files beside it (`.onnx_data`), a weight that is larger in one of its own.",
    unit: "bytes",
    source: "protobuf, whose messages have 2 GiB at most"
  })
})
type OnnxConfig = typeof OnnxConfig.Type

const folder = "onnx"
const networks = { vision_encoder: visionEncoder, embed_tokens: embedTokens, decoder_model_merged: decoder }

/** The name of the smallest codes. */
const dtypeOf = ({ packed }: DeployedModel, { coded }: Numbers): DType => {
  const bits = [...packed.keys()].flatMap((layer) => coded(layer)?.bits ?? [])
  return bits.length === 0 ? "fp32" : (`q${Math.min(...bits)}` as DType)
}

/** Why transformers.js cannot have the model; undefined where it can. */
const refusal = ({ config, directory }: ModelKind): Refusal | undefined => {
  if (config.llm_config.model_type === "internlm2") {
    return {
      reason: "transformers.js cannot read the tokenizer of InternLM2, a SentencePiece model",
      fix: "choose packed, which runs in speedq"
    }
  }
  if (existsSync(directory) && !existsSync(join(directory, "tokenizer.json"))) {
    return {
      reason: `transformers.js reads tokenizer.json, and ${directory} has none`,
      fix: "make it there with AutoTokenizer of transformers and its save_pretrained"
    }
  }
  return undefined
}

/** A graph: its own file, and those of its weights where it is too large. */
interface GraphFiles {
  readonly name: string
  readonly message: Message
  readonly data: readonly DataFile[]
  /** Bytes of its weights, wherever they are. */
  readonly weightBytes: number
}

/** The three graphs. Fails before anything is written where one cannot be. */
const graphsOf = Effect.fnUntraced(function* (
  { source, directory }: ModelToExport,
  { numbers, dtype, fileBytes }: { readonly numbers: Numbers; readonly dtype: DType; readonly fileBytes: number }
) {
  const graphs: GraphFiles[] = []
  for (const [network, make] of Object.entries(networks)) {
    const name = `${network}${dtypes[dtype]}.onnx`
    const parts = make({ graph: new Graph(), numbers }, source.directory.config)
    const whole = modelProto(parts)
    const isTooLarge = lengthOf(whole) > fileBytes
    const { places, files } = isTooLarge ? externalData(name, parts.initializers, fileBytes) : noExternalData
    if (files.length > mostDataFiles) {
      const cause = `${name}: its weights would be in ${files.length} files of at most ${fileBytes} bytes, and transformers.js reads ${mostDataFiles}`
      return yield* new ExportNotWritten({ directory, cause, fix: 'set a larger "fileBytes"' })
    }
    const message = isTooLarge ? modelProto(parts, places) : whole
    graphs.push({ name, message, data: files, weightBytes: lateLength(whole) })
  }
  return graphs
})

const writeGraphs = Effect.fnUntraced(function* (directory: string, graphs: readonly GraphFiles[]) {
  const failed = (cause: unknown) => new ExportNotWritten({ directory, cause })
  yield* Effect.tryPromise({ try: () => makeDirectories(join(directory, folder)), catch: failed })
  const files = graphs.flatMap(({ name, message, data }) => [{ name, bytes: message }, ...data])
  return yield* Effect.forEach(files, ({ name, bytes }) => {
    const file = join(folder, name)
    return writeMessage(join(directory, file), bytes).pipe(
      Effect.mapBoth({ onSuccess: (written) => ({ ...written, file }), onFailure: failed })
    )
  })
})

export const onnxExporter: Exporter<OnnxConfig> = {
  id: "onnx",
  version: 1,
  description: "graphs for onnxruntime in the layout of transformers.js; runs in Node and browsers",
  Config: OnnxConfig,
  checkedBy: ["onnxruntime 1.30", "transformers.js 4.3"],
  directoryName: ({ dtype }) => (dtype === "f16" ? "onnx-f16" : "onnx"),
  keepsCodes: true,
  refusal: (_, model) => refusal(model),
  holds: ({ dtype }, layers) => layers.map((layer) => (isCoded(layer) ? codes() : numbers(dtype))),
  // What is packed is not decided here: everything in the format of matrices, an embedding that is the head too in two of three files.
  bytes: ({ dtype }, { parameters }) => (dtype === "f16" ? 4 : 8) * parameters,
  write: Effect.fnUntraced(function* ({ dtype: matrices, fileBytes }, model) {
    const { source, deployed, directory } = model
    const weights = numbersOf(deployed, matrices)
    const dtype = dtypeOf(deployed, weights)
    const graphs = yield* graphsOf(model, { numbers: weights, dtype, fileBytes })
    const written = yield* writeGraphs(directory, graphs)
    const [tooLarge] = weights.tooLarge()
    if (tooLarge !== undefined) {
      return yield* new ExportNotWritten({
        directory,
        cause: `${tooLarge} has numbers too large for f16`,
        fix: 'set "dtype" to f32'
      })
    }
    const dataFiles = Object.fromEntries(
      graphs.flatMap(({ name, data }) => (data.length === 0 ? [] : [[name, data.length] as const]))
    )
    const companions = yield* writeLayoutFiles(model, (tokenizer) =>
      transformersJsFiles(source.directory, { dtype, dataFiles }, tokenizer)
    )
    const bytes = graphs.reduce((sum, { weightBytes }) => sum + weightBytes, 0)
    const layersFallenBack = [...weights.dequantized, ...layersAsNumbers(deployed)]
    return { files: [...written, ...companions], bytes, ...weights.difference(), layersFallenBack }
  })
}
