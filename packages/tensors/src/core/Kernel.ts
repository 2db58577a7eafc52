/**
 * What a kernel is: what backends run of it (Computation), its gradient, and samples for its tests.
 * A kernel lives in one file of kernels/, or in a folder where its bodies need room, and has one line in kernels/list.ts; the
 * conformance suite walks that list.
 */
import type { Computation } from "./Computation.ts"
import type { DType } from "./DType.ts"
import type { Geometry } from "./Geometry.ts"
import type { Shape } from "./Shape.ts"
import type { Tensor } from "./Tensor.ts"

export type Tensors<N extends string> = { readonly [K in N]?: Tensor | undefined }

/** Which inputs need a gradient. */
export type Wanted<I extends string> = { readonly [K in I]: boolean }

interface Saves<I extends string, O extends string> {
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

export interface Tolerance {
  readonly relative: number
  readonly absolute: number
}

export interface Kernel<I extends string, O extends string, A extends object> extends Computation<I, O, A> {
  readonly gradient?: Gradient<I, O, A>
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
