/** A type of ggml: so many weights of a row, one after the other, make a block of so many bytes. */
export interface BlockType {
  /** Its name there. */
  readonly name: string
  /** `ggml_type`. */
  readonly id: number
  /** `general.file_type` of a file that is mostly of this type. */
  readonly fileType: number
  /** Weights in a block. */
  readonly weights: number
  /** Bytes of a block. */
  readonly bytes: number
  /** The weights of whole blocks, in f32, as ggml computes them. */
  readonly decode: (blocks: Uint8Array) => Float32Array
}

/** A type that weights are rounded to. */
export interface RoundingType extends BlockType {
  readonly encode: (weights: Float32Array) => Uint8Array
}

/**
 * Codes in groups: a code c of group g, the `group` codes from g `group` on, stands for scale[g] (c - zero[g]), each operation in f32.
 */
export interface GroupedCodes {
  readonly codes: Uint8Array
  readonly group: number
  readonly scale: Float32Array
  readonly zero: Float32Array
}

/** A type that has room for codes as they are. */
export interface CodeType extends BlockType {
  readonly encodeCodes: (codes: GroupedCodes) => Uint8Array
}
