/** `speedq export`: writes a quantized model in one format or several. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { repeated } from "../flagDefaults.ts"
import { backend, json } from "../flags.ts"
import { print, printJson } from "../output.ts"
import { pathArgument, pathFlag } from "../pathParam.ts"
import { plugins, withPlugins } from "../pluginFlag.ts"

export const exportCommand = Command.make(
  "export",
  {
    path: pathArgument("model-or-run", "directory").pipe(
      Argument.withDescription("directory of a run, of a packed model, or of the reference's quant_details")
    ),
    format: Flag.String("format").pipe(
      Flag.withMetavar("NAME[,NAME...]"),
      Flag.withDescription(
        "packed is small, for chat and evaluate; fake-quant loads wherever the original does; hf is transformers' layout, original the hub's; web is a page that runs the model in a browser; onnx is for transformers.js, gguf for llama.cpp; gptq, compressed-tensors and awq keep codes for vLLM; quant-details is the reference's; or a plugin's format; several are written together, all or none"
      )
    ),
    with: Flag.String("with").pipe(
      Flag.withMetavar("NAME=VALUE"),
      Flag.withDescription(
        "an option of the format, as in a recipe; may be repeated; FORMAT.NAME=VALUE is one of that format alone"
      ),
      repeated
    ),
    dtype: Flag.Literals("dtype", ["bf16", "f32"]).pipe(
      Flag.withDescription(
        "data type of dequantized weights: f32 keeps every bit; default: bf16; short for --with dtype=..."
      ),
      Flag.optional
    ),
    out: pathFlag("out", "DIR", "directory").pipe(
      Flag.withDescription(
        "a new or empty directory, of several formats the one that holds theirs; default: RUN/model/FORMAT or MODEL-FORMAT"
      ),
      Flag.optional
    ),
    backend,
    plugins,
    json
  },
  Effect.fn("speedq export")(function* ({ path, format, dtype, out, backend, json, ...flags }) {
    const { describeExport, exportModel } = yield* Effect.promise(() => import("../../models/exportModel.ts"))
    const { formatOptions } = yield* Effect.promise(() => import("../../models/formatOptions.ts"))
    const short = Option.match(dtype, { onNone: () => [], onSome: (chosen) => [`dtype=${chosen}`] })
    const names = format.split(",").map((name) => name.trim())
    const formats = yield* formatOptions(names, [...short, ...flags.with], "speedq export --help")
    const exported = yield* exportModel(path, { formats, out: Option.getOrUndefined(out) }, backend)
    yield* json
      ? printJson(exported.length === 1 ? exported[0] : exported)
      : print(exported.map(describeExport).join("\n\n"))
  }, withPlugins)
).pipe(
  Command.withShortDescription("Write a quantized model in one format or several"),
  Command.withDescription(
    "Writes the model of a run or of the reference, or unpacks a packed model, and says how exact the export is."
  ),
  Command.withExamples([
    { command: "speedq export runs/1b --format packed" },
    { command: "speedq export runs/1b/model/packed --format fake-quant --dtype f32 --out models/1b-2bit" },
    { command: "speedq export runs/1b --format hf --out models/1b-2bit-hf" },
    { command: "speedq export runs/1b --format web --out site" },
    { command: "speedq export runs/1b --format onnx --out models/1b-2bit-onnx" },
    { command: "speedq export runs/1b --format gguf --out models/1b-2bit-gguf" },
    { command: "speedq export runs/1b --format packed,hf --with hf.dtype=f32 --out models/1b-2bit" },
    {
      command: "speedq export runs/1b --format mine --with level=3 --plugin mine.ts",
      description: "a format of your own"
    }
  ])
)
