/** Tensor files: safetensors, single or sharded, read by ranges and written streamed. */

export {
  CompressedInvalid,
  FileFailed,
  ModelIncomplete,
  type OpenError,
  type ReadError,
  ReadRefused,
  SafetensorsInvalid,
  TensorMissing,
  TensorNotFinite,
  type WriteError
} from "./Errors.ts"
export * as AtomicFile from "./files/AtomicFile.ts"
export { digestOf, fileDigest } from "./files/fileDigest.ts"
export { linesOf, textOf } from "./files/lines.ts"
export { makeDirectories } from "./files/makeDirectories.ts"
export { nearestExisting } from "./files/nearestExisting.ts"
export {
  checkOutside,
  checkOutsideSync,
  ifPresent,
  mostBytes,
  openOutside,
  overLimit,
  piecesOf,
  readBytes,
  readText,
  readTextSync
} from "./files/outsideFile.ts"
export { appendPieces, type Pieces } from "./files/pieces.ts"
export { isThere, namesIn, pathIn } from "./files/places.ts"
export { fixFor, type RefusalReason, refusalOf, refusalReasons, refusalText } from "./files/refusals.ts"
export { removeEmpty } from "./files/removeEmpty.ts"
export * as Staging from "./files/Staging.ts"
export { decompressedFile, isCompressed, readPieces } from "./files/Zstandard.ts"
export { attemptOn, fileFailed } from "./internal/attempt.ts"
export type { TensorSpec } from "./internal/header.ts"
export { JsonCursor, JsonUnexpected } from "./json/JsonCursor.ts"
export { endOfText, jsonString, mostNested, parseJson } from "./json/parseJson.ts"
export { layerOf, parameterOf, weightNames } from "./names/layerNames.ts"
export { publicJson, publicText } from "./names/localPaths.ts"
export {
  bytesOf,
  type DType,
  dtypes,
  elementBytes,
  fileDtype,
  isDType,
  type TypedArrayOf,
  tensorBytes,
  typedView
} from "./numbers/DType.ts"
export { decodeFloats, encodeFloats, type FloatDType, isFloatDType } from "./numbers/floats.ts"
export { countNonFinite, indexIn, largestMagnitude, type NonFinite } from "./numbers/magnitude.ts"
export { decodeOptions, strictDecoder } from "./options/decodeOptions.ts"
export { didYouMean, nearest } from "./options/nearest.ts"
export {
  laterOption,
  nameOption,
  type OpenName,
  type OptionInfo,
  option,
  optionalOption,
  requiredOption,
  withDefault,
  writtenAs
} from "./options/option.ts"
export { formatPath, type OptionProblem, optionProblems, problemsInLine } from "./options/optionProblems.ts"
export * as Safetensors from "./safetensors/Safetensors.ts"
export type { Range, TensorInfo, TensorStore } from "./safetensors/TensorStore.ts"
export { printable, printableJson, printableLine } from "./text/printable.ts"
export { notZip, type ZipRecord, type ZipSource, zipContentAt, zipRecords } from "./zip/zipDirectory.ts"
