/** What a quantizer is: configuration, cost, the map from weights to stored numbers and back, and its straight-through form. */
import { type DType, type Shape, sizeOf, type Tensor } from "@speedq/tensors"
import type * as Schema from "effect/Schema"
import { packedBytes } from "../packing/BitPacking.ts"

/** One tensor that a quantized weight is stored as. `bits` is the size of an element; below 8 it is packed (BitPacking.ts). */
export interface StoredTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: Shape
  readonly bits: number
  readonly meaning: string
}

/**
 * A quantized weight before bit packing: tensors under the names of `stored`. Codes are u8; 16-bit numbers may be held
 * in f32, already rounded.
 */
export type QuantizedWeight = { readonly [name: string]: Tensor }

/**
 * A quantizer of matrices [out, in]. `fakeQuantize`, `dequantize(quantize(w))` and what is exported are one function:
 * the same bits, whichever way they are reached.
 */
export interface Quantizer<C extends object = object> {
  readonly id: string
  /** Raised when the same weight is quantized to other numbers, or stored numbers get another meaning; a part of keys of results. */
  readonly version: number
  /** What brings a quantizer that is not ours: files that are made with it name this, for whoever reads them without it. */
  readonly plugin?: string
  /**
   * Whether a row of the weight and a row of every stored tensor, [out, ...], make each other, and nothing else has a part in it: rows can
   * be quantized and unpacked alone.
   */
  readonly rowwise?: boolean
  readonly Config: Schema.Codec<C, unknown>
  /** Bits an element costs on average, scales and zero points included. */
  bitsPerWeight(config: C): number
  /** Why a weight of this shape cannot be quantized, or undefined. */
  obstacle(config: C, shape: Shape): string | undefined
  /** Largest magnitude of a weight whose scales the stored format holds; without it any finite weight will do. */
  largestWeight?(config: C): number
  /** Whether its grids are searched for, which takes hundreds of times what rounding takes: once is cheap, every step of training is not. */
  searches?(config: C): boolean
  /** Weight [out, in] as it will be after dequantization; its gradient is the straight-through one. */
  fakeQuantize(config: C, weight: Tensor): Tensor
  /** What a weight of this shape is stored as. */
  stored(config: C, shape: Shape): readonly StoredTensor[]
  quantize(config: C, weight: Tensor): QuantizedWeight
  dequantize(config: C, quantized: QuantizedWeight, shape: Shape): Tensor
  /** Present where the stored codes can be multiplied without making the weight. */
  readonly affine?: AffineCodes<C>
  /**
   * Bits and input columns of a group that the clipping search rounds to, on an even grid, where the codes are on none. Quantizers
   * with a `grid` are searched on that.
   */
  searchedAs?(config: C): { readonly bits: number; readonly group: number }
  /** Present where codes can be chosen freely on a fixed grid; `codes` u8 [out, in] completes `stored`. */
  readonly grid?: CodeGrid<C>
}

/** How affine codes are laid out. */
export interface AffineExtents {
  /** Bits of a code. */
  readonly bits: number
  /** Input columns that share a scale and a zero point. */
  readonly group: number
  /** The zero point of all groups, where they share one. */
  readonly commonZero?: number
}

/** Quantizers whose stored codes c stand for scale (c - zero), each operation in f32, to the last bit. */
interface AffineCodes<C> {
  /** Undefined under options with which codes stand for something else. */
  extents(config: C): AffineExtents | undefined
  /**
   * [out, in / g] in f32, from the stored tensors other than the codes. Zero points are whole numbers that a code of as many bits could
   * be.
   */
  decoder(config: C, quantized: QuantizedWeight, shape: Shape): { readonly scale: Tensor; readonly zero: Tensor }
  /** The same where groups share scales, so that they stay small in memory; undefined where scales are of another form, or absent. */
  sharedScales?(config: C, quantized: QuantizedWeight, shape: Shape): SharedScales | undefined
}

/** Scales of groups as origin + step (scale code), each operation in f32. */
export interface SharedScales {
  /** f32 [out, in / g], whole numbers of 0 to 15. */
  readonly scaleCodes: Tensor
  readonly zero: Tensor
  /** f32 [R, in / g], each row for out / R rows, a multiple of 4. */
  readonly origin: Tensor
  readonly step: Tensor
}

/** The fixed part of a grid of codes: what rounding may not change. */
export interface GridParameters {
  /** Scale and zero point of every group, [out, in / g]: a code c stands for scale (c - zero). */
  readonly scale: Tensor
  readonly zero: Tensor
  /** Stored tensors other than the codes. */
  readonly stored: QuantizedWeight
}

/** Quantizers whose codes are whole numbers on a grid with a scale and a zero point a group: AdaRound chooses the codes itself. */
export interface CodeGrid<C> {
  /** Bits of a code and input columns of a group. */
  extents(config: C): { readonly bits: number; readonly group: number }
  parameters(config: C, weight: Tensor): GridParameters
  /**
   * Scales and zero points [out, in / g] that the range of a weight gives, before they are stored: `nearest` of them is the grid of
   * `fakeQuantize`, to the bit. Absent where those of `parameters` are such.
   */
  range?(config: C, weight: Tensor): { readonly scale: Tensor; readonly zero: Tensor }
  /**
   * The grid of given scales and zero points, real numbers [out, in / g]: the nearest that can be stored. Absent where none can be
   * chosen.
   */
  nearest?(config: C, scale: Tensor, zero: Tensor): GridParameters
  /** Whether groups share what is stored of their scales, so that one that is moved moves what others can be. */
  readonly sharesScales?: boolean
}

/** A quantizer with its options. */
export interface QuantizerChoice<C extends object = object> {
  readonly quantizer: Quantizer<C>
  readonly config: C
  /** The options as a person wrote them, JSON without the defaults; absent where the choice was not written by one. */
  readonly written?: object
}

/** Bytes that a weight of this shape takes in the packed container: each stored tensor rounded up to whole bytes. */
export const storedBytes = ({ quantizer, config }: QuantizerChoice, shape: Shape): number =>
  quantizer.stored(config, shape).reduce((bytes, part) => bytes + packedBytes(sizeOf(part.shape), part.bits), 0)
