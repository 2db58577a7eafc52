/** Tensors, kernels, backends, differentiation and optimizers. */

export { checkpoint } from "./autodiff/checkpoint.ts"
export { type CustomResult, customGradient } from "./autodiff/customGradient.ts"
export { recomputed } from "./autodiff/recomputed.ts"
export { isTracked, noGrad } from "./autodiff/Tape.ts"
export {
  type GradientsOf,
  type Parameters,
  type ValueAndGrad,
  type ValueAndGradOptions,
  valueAndGrad
} from "./autodiff/valueAndGrad.ts"
export { chooseArithmetic } from "./backends/chooseArithmetic.ts"
export { type AutoChoice, chooseAuto } from "./backends/chooseAuto.ts"
export { type GpujsMode, gpujsModes } from "./backends/gpujs/Device.ts"
export type { GpujsOptions } from "./backends/gpujs/GpujsBackend.ts"
export { makeGpujsBackend } from "./backends/gpujs/GpujsBackend.ts"
export { findAdapter } from "./backends/gpujs/webgpu/findAdapter.ts"
export { webgpuInstallCommand } from "./backends/installedPackages.ts"
export { measureProducts, type ProductSpeed, tellSpeed } from "./backends/measureProducts.ts"
export {
  bfloat16Products,
  makeNativeBackend,
  type NativeBackend,
  type NativeDescription,
  type NativeOptions
} from "./backends/native/NativeBackend.ts"
export { type BackendName, type OpenBackendOptions, openBackend } from "./backends/openBackend.ts"
export { doubleValues, makeReferenceBackend } from "./backends/reference/ReferenceBackend.ts"
export type { Arithmetic, ArithmeticChoice } from "./core/Arithmetic.ts"
export { apply } from "./core/apply.ts"
export type { Backend, DeviceMemory, Hardware, Source, Usage } from "./core/Backend.ts"
export type { AnyComputation, Computation, Cost } from "./core/Computation.ts"
export { type DType, elementBytes, type HostArray, viewAs } from "./core/DType.ts"
export {
  BackendUnavailable,
  DeviceLost,
  DTypeMismatch,
  ForeignTensor,
  InvalidAttribute,
  InvalidIndex,
  KernelFailure,
  MissingOperand,
  NotDifferentiable,
  OutOfMemory,
  ReleasedTensor,
  ShapeMismatch,
  TensorTooLarge,
  UnsupportedKernel
} from "./core/Errors.ts"
export type { Geometry } from "./core/Geometry.ts"
export type { AnyKernel, Gradient, Kernel, Sample, Tolerance } from "./core/Kernel.ts"
export type { Handle, KernelCall, Operand, TensorSpec } from "./core/Operand.ts"
export { leadingRows, reshape } from "./core/reshape.ts"
export { formatShape, type Shape, sameShape, sizeOf } from "./core/Shape.ts"
export { generate, Tensor, tensor, zeros } from "./core/Tensor.ts"
export { together } from "./core/together.ts"
export { type AdamStepAttributes, adamStep } from "./kernels/adamStep/definition.ts"
export { adaroundInitial } from "./kernels/adaroundInitial.ts"
export { type AdaroundScalesAttributes, adaroundScales } from "./kernels/adaroundScales/definition.ts"
export { type AdaroundStepAttributes, adaroundStep } from "./kernels/adaroundStep/definition.ts"
export { type AdaroundWeightAttributes, adaroundWeight } from "./kernels/adaroundWeight/definition.ts"
export { adaroundStretch } from "./kernels/adaroundWeight/geometry.ts"
export { add } from "./kernels/add.ts"
export { addBroadcast, columnSums } from "./kernels/addBroadcast.ts"
export { addInto } from "./kernels/addInto.ts"
export { type AttentionOptions, attention } from "./kernels/attention/definition.ts"
export { type CastTarget, cast } from "./kernels/cast.ts"
export { clampGroups } from "./kernels/clampGroups.ts"
export { clipFactor } from "./kernels/clipFactor.ts"
export { type ClipSearchAttributes, clipSearch, gram } from "./kernels/clipSearch/definition.ts"
export { confidenceRows } from "./kernels/confidenceRows.ts"
export { type CrossEntropyAttributes, crossEntropyRows } from "./kernels/crossEntropyRows/definition.ts"
export { ignoredLabel } from "./kernels/crossEntropyRows/geometry.ts"
export {
  type BilevelAttributes,
  bilevelCodes,
  bilevelDecode,
  bilevelParameters,
  bilevelSearch,
  bilevelStraightThrough,
  fakeQuantBilevel
} from "./kernels/fakeQuantBilevel/definition.ts"
export {
  type CodebookAttributes,
  codebookCodes,
  codebookDecode,
  codebookParameters,
  fakeQuantCodebook
} from "./kernels/fakeQuantCodebook/definition.ts"
export {
  fakeQuantUniform,
  type UniformAttributes,
  uniformParameters,
  uniformStraightThrough
} from "./kernels/fakeQuantUniform/definition.ts"
export { gatherCodes } from "./kernels/gatherCodes.ts"
export { gatherRows, scatterAddRows } from "./kernels/gatherRows/definition.ts"
export { gelu } from "./kernels/gelu.ts"
export { gridCodes, gridDecode } from "./kernels/gridCodes/definition.ts"
export { gridGradient } from "./kernels/gridGradient/definition.ts"
export { type KlAttributes, klRows } from "./kernels/klRows/definition.ts"
export { layerNorm } from "./kernels/layerNorm/definition.ts"
export { layerScaleAdd } from "./kernels/layerScaleAdd.ts"
export { linear } from "./kernels/linear.ts"
export {
  type CodedScales,
  codeWeight,
  holdsScales,
  scalesOfCodes,
  streamOfCodes
} from "./kernels/linearCodes/codeWeight.ts"
export { type CodedWeight, linearCodes, prefersCodes } from "./kernels/linearCodes/definition.ts"
export {
  type Activations,
  type CodedExtents,
  fewRowsOfCodes,
  multipliesCodes,
  tileRowsTogether
} from "./kernels/linearCodes/geometry.ts"
export { kernels } from "./kernels/list.ts"
export { matmul } from "./kernels/matmul/definition.ts"
export { matmulInto } from "./kernels/matmulInto.ts"
export { multiply } from "./kernels/multiply.ts"
export { patches } from "./kernels/patches/definition.ts"
export { pixelShuffle } from "./kernels/pixelShuffle/definition.ts"
export { dropFirstRow, prependRow } from "./kernels/prependRow.ts"
export { replaceRows, zeroRows } from "./kernels/replaceRows/definition.ts"
export { rmsNorm } from "./kernels/rmsNorm/definition.ts"
export { rotary } from "./kernels/rotary/definition.ts"
export { scale } from "./kernels/scale.ts"
export { scaleRows } from "./kernels/scaleRows.ts"
export { selfAttention } from "./kernels/selfAttention/definition.ts"
export { siluTimes } from "./kernels/siluTimes.ts"
export { softmax } from "./kernels/softmax.ts"
export { joinColumns, splitColumns } from "./kernels/splitColumns/definition.ts"
export { squaredError } from "./kernels/squaredError/definition.ts"
export { sum } from "./kernels/sum.ts"
export { sumSquaresInto } from "./kernels/sumSquaresInto.ts"
export { transpose } from "./kernels/transpose.ts"
export { unpackCodes } from "./kernels/unpackCodes.ts"
export { kernelSetVersion } from "./kernels/version.ts"
export { writeRows } from "./kernels/writeRows.ts"
export { keep, scope, tensorsIn, unscoped } from "./memory/scope.ts"
export {
  bf16ToF32,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  fromBfloat16,
  fromFloat16,
  toBfloat16,
  toFloat16
} from "./numbers/halfPrecision.ts"
export { type MagnitudeRoom, magnitudeRoom } from "./numbers/magnitude.ts"
export { type AdamOptions, type AdamState, adam, adamW, type Optimizer, type StepOptions } from "./optim/adam.ts"
export { clipByGlobalNorm } from "./optim/clipByGlobalNorm.ts"
export { type MomentFormat, momentBytes, momentFormats } from "./optim/moments.ts"
export { constantRate, type Schedule, type WarmupCosineOptions, warmupCosine } from "./optim/schedule.ts"
export { Random, type RandomState } from "./random/Random.ts"
