/** Tensors, kernels, backends, differentiation and optimizers. */
export { checkpoint } from "./autodiff/checkpoint.ts"
export { type CustomResult, customGradient } from "./autodiff/customGradient.ts"
export { noGrad } from "./autodiff/Tape.ts"
export {
  type GradientsOf,
  type Parameters,
  type ValueAndGrad,
  type ValueAndGradOptions,
  valueAndGrad
} from "./autodiff/valueAndGrad.ts"
export type { Backend, Handle, KernelCall, Operand, Source, TensorSpec, Usage } from "./Backend.ts"
export { doubleValues, makeReferenceBackend } from "./backends/reference/ReferenceBackend.ts"
export { type DType, elementBytes, type HostArray, viewAs } from "./DType.ts"
export {
  BackendUnavailable,
  DTypeMismatch,
  ForeignTensor,
  InvalidAttribute,
  MissingOperand,
  NotDifferentiable,
  OutOfMemory,
  ReleasedTensor,
  ShapeMismatch,
  UnsupportedKernel
} from "./Errors.ts"
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./halfPrecision.ts"
export type { AnyKernel, Cost, Geometry, Gradient, Kernel, Sample, Tolerance } from "./Kernel.ts"
export { type AdaroundScalesAttributes, adaroundScales } from "./kernels/adaroundScales/definition.ts"
export { add } from "./kernels/add/definition.ts"
export { addInto } from "./kernels/addInto/definition.ts"
export { clampGroups } from "./kernels/clampGroups/definition.ts"
export { type ClipSearchAttributes, clipSearch, gram } from "./kernels/clipSearch/definition.ts"
export {
  type BilevelAttributes,
  bilevelCodes,
  bilevelDecode,
  bilevelParameters,
  fakeQuantBilevel
} from "./kernels/fakeQuantBilevel/definition.ts"
export { gelu } from "./kernels/gelu/definition.ts"
export { kernels } from "./kernels/list.ts"
export { matmul } from "./kernels/matmul/definition.ts"
export { writeRows } from "./kernels/writeRows/definition.ts"
export { keep, scope, tensorsIn, unscoped } from "./memory/scope.ts"
export { Random, type RandomState } from "./random/Random.ts"
export { leadingRows, reshape } from "./reshape.ts"
export { formatShape, type Shape, sizeOf } from "./Shape.ts"
export { generate, Tensor, tensor, zeros } from "./Tensor.ts"
