/** What the worker of logits.test.ts is asked, and answers. */

export interface LogitsRequest {
  readonly names: readonly string[]
  readonly picture: string
  readonly question: string
  readonly threads: number
  readonly simd: "relaxed" | "plain"
  /** Computes by WebGPU instead. */
  readonly graphics?: boolean
}

/** The name of the backend where WebGPU finds none. */
export const noAdapter = "no adapter"

export interface Logits {
  readonly tiles: number[]
  readonly logits: number[]
  readonly name: string
}
