/** Products m x k x n of a training step: forward, gradient of the input, gradient of the weight; tower; vocabulary. */

export interface ProductShape {
  readonly name: string
  readonly m: number
  readonly k: number
  readonly n: number
  readonly transposeA: boolean
  readonly transposeB: boolean
}

const shape = (
  name: string,
  [m, k, n]: readonly [number, number, number],
  transposed: "" | "a" | "b"
): ProductShape => ({
  name,
  m,
  k,
  n,
  transposeA: transposed === "a",
  transposeB: transposed === "b"
})

export const wholeShapes: readonly ProductShape[] = [
  shape("cube", [4096, 4096, 4096], ""),
  shape("q_proj", [512, 896, 896], "b"),
  shape("k_proj", [512, 896, 128], "b"),
  shape("up_proj", [512, 896, 4864], "b"),
  shape("down_proj", [512, 4864, 896], "b"),
  shape("down_proj, input", [512, 896, 4864], ""),
  shape("down_proj, weight", [896, 512, 4864], "a"),
  shape("up_proj, 2048 tokens", [2048, 896, 4864], "b"),
  shape("fc1 of the tower", [1025, 1024, 4096], "b"),
  shape("lm_head, 64 answers", [64, 896, 151674], "b")
]

/** For a GPU that is a program: every transposition, edges that are no multiple of a tile. */
export const smallShapes: readonly ProductShape[] = [
  shape("even", [64, 64, 96], ""),
  shape("odd", [70, 36, 66], "b"),
  shape("odd", [70, 36, 66], "a")
]
