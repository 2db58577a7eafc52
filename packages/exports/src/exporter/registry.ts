/** Every export format by its id. A new one is one file and one line here. */
import { decodeOptions } from "@speedq/formats"
import { ExportOptionsInvalid, UnknownExporter } from "../Errors.ts"
import { fakeQuantExporter } from "../fakeQuant/fakeQuant.ts"
import { ggufExporter } from "../gguf/gguf.ts"
import { awqExporter } from "../integer/awq.ts"
import { compressedTensorsExporter } from "../integer/compressedTensors.ts"
import { gptqExporter } from "../integer/gptq.ts"
import { huggingfaceExporter } from "../layouts/huggingface.ts"
import { originalExporter } from "../layouts/original.ts"
import { onnxExporter } from "../onnx/onnx.ts"
import { packedExporter } from "../packed/packed.ts"
import { quantDetailsExporter } from "../quantDetails/quantDetails.ts"
import type { ExportChoice, Exporter } from "./Exporter.ts"

export const exporters: readonly Exporter[] = [
  fakeQuantExporter,
  packedExporter,
  huggingfaceExporter,
  originalExporter,
  quantDetailsExporter,
  gptqExporter,
  compressedTensorsExporter,
  awqExporter,
  onnxExporter,
  ggufExporter
]

/** The format that a recipe means; `known` adds a user's own. Raises UnknownExporter and ExportOptionsInvalid. */
export const decodeExport = (
  { format, with: options = {} }: { readonly format: string; readonly with?: object | undefined },
  known: readonly Exporter[] = exporters
): ExportChoice => {
  const exporter = known.find(({ id }) => id === format)
  if (exporter === undefined) throw new UnknownExporter({ format, known: known.map(({ id }) => id) })
  const refused = (issue: string) => new ExportOptionsInvalid({ format, issue })
  return { exporter, config: decodeOptions(exporter.Config, options, refused) }
}
