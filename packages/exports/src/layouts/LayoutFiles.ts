/** The files that a layout has beside the weights. */

export interface Json {
  readonly [key: string]: unknown
}

/** By name: text as it is, everything else as JSON. */
export interface LayoutFiles {
  readonly [name: string]: Json | string
}
