/** What a backend runs of a kernel: its operands, shape rule and cost, and a body for each backend. */
import type { GpujsBody } from "../backends/gpujs/GpujsBody.ts"
import type { WebgpuBody } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import type { NativeBody } from "../backends/native/NativeBody.ts"
import type { Factor } from "./Arithmetic.ts"
import type { DType } from "./DType.ts"
import type { Geometry, Shapes } from "./Geometry.ts"
import type { Shape } from "./Shape.ts"

export interface InputSpec {
  /** Accepted element types; the first is the usual one. */
  readonly dtypes: readonly DType[]
  readonly optional?: true
  /** The kernel overwrites this operand in place (optimizer state, accumulators). */
  readonly updated?: true
  /** Has no gradient: a tracked tensor here raises NotDifferentiable. Updated and i32 operands are constant anyway. */
  readonly constant?: true
}

interface OutputSpec {
  readonly shape: Shape
  readonly dtype?: DType
}

export type Arrays<N extends string> = { readonly [K in N]: Float64Array }

export interface Cost {
  readonly flops: number
  /** Bytes read and written at least once. */
  readonly bytes: number
}

export interface Computation<I extends string, O extends string, A extends object> {
  readonly name: string
  readonly inputs: { readonly [K in I]: InputSpec }
  readonly outputs: readonly O[]
  /** Shapes (and dtypes, default f32) of the outputs. Raises ShapeMismatch and InvalidAttribute. Absent operands have no entry. */
  infer(shapes: Shapes<I>, attributes: A): { readonly [K in O]: OutputSpec }
  /**
   * The definition in double precision, written to be read. Absent operands are undefined; updated ones are overwritten. Kernels that
   * multiply matrices take each factor through `factor`.
   */
  reference(inputs: Arrays<I>, outputs: Arrays<O>, geometry: Geometry<I, O>, attributes: A, factor: Factor): void
  readonly gpujs?: GpujsBody<I, O, A>
  /** WGSL that the webgpu mode takes in place of the GPU.js programs, to which it must be equal. */
  readonly webgpu?: WebgpuBody<I, O, A>
  readonly native?: NativeBody<I, O, A>
  cost(geometry: Geometry<I, O>, attributes: A): Cost
}

/** Any computation. Methods are bivariant, so every `Computation` is one. */
export type AnyComputation = Computation<string, string, object>
