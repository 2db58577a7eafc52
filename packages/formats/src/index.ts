/** Tensor files: safetensors, single or sharded, read by ranges and written streamed. */
export * as AtomicFile from "./AtomicFile.ts"
export {
  bytesOf,
  type DType,
  dtypes,
  elementBytes,
  isDType,
  type TypedArrayOf,
  tensorBytes,
  typedView
} from "./DType.ts"
export {
  FileFailed,
  ModelIncomplete,
  type OpenError,
  type ReadError,
  ReadRefused,
  SafetensorsInvalid,
  TensorMissing,
  type WriteError
} from "./Errors.ts"
export { decodeFloats, encodeFloats, type FloatDType, isFloatDType } from "./floats.ts"
export type { TensorSpec } from "./internal/header.ts"
export * as Safetensors from "./Safetensors.ts"
export type { Range, TensorInfo, TensorStore } from "./TensorStore.ts"
