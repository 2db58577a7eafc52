/**
 * What a kernel is: operands, shape rule, gradient, cost, samples for its tests, and a body for each backend.
 * A kernel lives in one file of kernels/, or in a folder where its bodies need room, and has one line in kernels/list.ts; the
 * conformance suite walks that list.
 */
import type { GpujsBody } from "./backends/gpujs/GpujsBody.ts"
import type { NativeBody } from "./backends/native/NativeBody.ts"
import type { DType } from "./DType.ts"
import type { Shape } from "./Shape.ts"
import type { Tensor } from "./Tensor.ts"

export interface InputSpec {
  /** Accepted element types; the first is the usual one. */
  readonly dtypes: readonly DType[]
  readonly optional?: true
  /** The kernel overwrites this operand in place (optimizer state, accumulators). */
  readonly updated?: true
  /** Has no gradient: a tracked tensor here raises NotDifferentiable. Updated and i32 operands are constant anyway. */
  readonly constant?: true
}

export interface OutputSpec {
  readonly shape: Shape
  readonly dtype?: DType
}

export type Shapes<I extends string> = { readonly [K in I]: Shape }
export type Arrays<N extends string> = { readonly [K in N]: Float64Array }
export type Tensors<N extends string> = { readonly [K in N]?: Tensor | undefined }

export interface Geometry<I extends string, O extends string> {
  readonly inputs: Shapes<I>
  readonly outputs: Shapes<O>
}

/** Which inputs need a gradient. */
export type Wanted<I extends string> = { readonly [K in I]: boolean }

export interface Saves<I extends string, O extends string> {
  readonly inputs?: readonly I[]
  readonly outputs?: readonly O[]
}

export interface Gradient<I extends string, O extends string, A> {
  /**
   * What `backward` reads; everything else may be released after the forward call. A function where that depends on
   * what is wanted: a frozen weight must not keep its input alive.
   */
  readonly saves: Saves<I, O> | ((wanted: Wanted<I>) => Saves<I, O>)
  /** Outputs that carry no gradient (statistics kept for `backward`); differentiating through them raises NotDifferentiable. */
  readonly auxiliary?: readonly O[]
  /**
   * Vector-Jacobian product. `saved` holds what `saves` names, `cotangents` the gradients of the outputs that were used,
   * `wanted` which inputs need one. Returns gradients by input name; the shapes of inputs are in `shapes`.
   */
  backward(context: {
    readonly saved: Tensors<I | O>
    readonly cotangents: Tensors<O>
    readonly wanted: Wanted<I>
    readonly shapes: Geometry<I, O>
    readonly attributes: A
  }): Tensors<I>
}

/** A legal call for tests: input data by name (shape and values), attributes. */
export interface Sample<A> {
  readonly name: string
  readonly inputs: {
    readonly [name: string]: { readonly shape: Shape; readonly dtype?: DType; readonly values: ArrayLike<number> }
  }
  readonly attributes: A
  /** False where central differences do not meet the gradient (rounding, which is straight-through). Default true. */
  readonly differentiable?: boolean
}

export interface Cost {
  readonly flops: number
  /** Bytes read and written at least once. */
  readonly bytes: number
}

export interface Tolerance {
  readonly relative: number
  readonly absolute: number
}

export interface Kernel<I extends string, O extends string, A extends object> {
  readonly name: string
  readonly inputs: { readonly [K in I]: InputSpec }
  readonly outputs: readonly O[]
  /** Shapes (and dtypes, default f32) of the outputs. Raises ShapeMismatch and InvalidAttribute. Absent operands have no entry. */
  infer(shapes: Shapes<I>, attributes: A): { readonly [K in O]: OutputSpec }
  readonly gradient?: Gradient<I, O, A>
  /** The definition in double precision, written to be read. Absent operands are undefined; updated ones are overwritten. */
  reference(inputs: Arrays<I>, outputs: Arrays<O>, geometry: Geometry<I, O>, attributes: A): void
  readonly gpujs?: GpujsBody<I, O, A>
  readonly native?: NativeBody<I, O, A>
  cost(geometry: Geometry<I, O>, attributes: A): Cost
  /** Legal calls from a seeded generator: one element, odd extents, none at all, a few thousand. */
  samples(random: { nextUniform(): number; nextNormal(): number }): readonly Sample<A>[]
  /** Forward tolerance in f32 backends; default relative 1e-5, absolute 1e-6. */
  readonly tolerance?: Tolerance
}

/** Any kernel, for lists and backends. Methods are bivariant, so every `Kernel` is one. */
export type AnyKernel = Kernel<string, string, object>

export const defineKernel = <I extends string, O extends string, A extends object>(
  kernel: Kernel<I, O, A>
): Kernel<I, O, A> => kernel
