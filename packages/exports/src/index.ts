/** A quantized model on disk: what it is made of, the formats it is written in, and how the packed one is read again. */
export {
  ExportDamaged,
  ExportNotWritten,
  ExportOptionsInvalid,
  ExportUnverifiable,
  RestTooLarge,
  UnknownExporter
} from "./Errors.ts"
export { companionsOf, copyCompanions, descriptionName } from "./exporter/companions.ts"
export { type Difference, exact, larger, largestDifference } from "./exporter/Difference.ts"
export { allFilesOf, filesOf } from "./exporter/directoryFiles.ts"
export type {
  ExportChoice,
  Exporter,
  ModelFacts,
  ModelKind,
  ModelToExport,
  Refusal,
  Written
} from "./exporter/Exporter.ts"
export type { Entries, ExportParts } from "./exporter/entries.ts"
export { codes, type Holding, numbers, type QuantizedLayer, quantizedLayers } from "./exporter/Holding.ts"
export { decodeExport, exporters } from "./exporter/registry.ts"
export { verifyExport } from "./exporter/verifyExport.ts"
export { Exported, type ExportRequest, writeExport, writeExports } from "./exporter/writeExport.ts"
export { tensorsName, writeTensors } from "./exporter/writeTensors.ts"
export { writtenAs } from "./exporter/writtenAs.ts"
export { FakeQuantConfig, fakeQuantExporter } from "./fakeQuant/fakeQuant.ts"
export { GgufConfig, ggufExporter } from "./gguf/gguf.ts"
export { huggingfaceExporter } from "./layouts/huggingface.ts"
export { originalExporter } from "./layouts/original.ts"
export {
  type DeployedModel,
  type DeployOptions,
  deployModel,
  type LanguageModel,
  type ModelParts,
  modelSize,
  Rest,
  type VisionTower
} from "./model/deployedModel.ts"
export { packNearest } from "./model/packNearest.ts"
export { releasePacked, releaseParameters } from "./model/releases.ts"
export type { SourceModel } from "./model/SourceModel.ts"
export { onnxExporter } from "./onnx/onnx.ts"
export { type LoadedWeights, packedModel, readModelWeights, wholeModel } from "./packed/LoadedWeights.ts"
export { PackedConfig, packedExporter } from "./packed/packed.ts"
export { packedWeights, unpackAll, withActivations } from "./packed/packedWeights.ts"
export { type PackedModel, readPackedModel } from "./packed/readPackedModel.ts"
export { embeddingPaths } from "./quantDetails/detailPaths.ts"
