/** A digest of what a backend computes: products of several sizes, forward and back, and functions between them. */
import { createHash } from "node:crypto"
import {
  type Arithmetic,
  type Backend,
  BackendUnavailable,
  gelu,
  linear,
  type Parameters,
  Random,
  scope,
  softmax,
  sum,
  tensor,
  valueAndGrad
} from "@speedq/tensors"

/** Rows, and columns in and out: small ones, and such that libraries multiply in parts. */
const sizes = [
  [3, 40, 24],
  [65, 257, 129],
  [256, 896, 512]
] as const

/** sum over softmax(gelu(x W^T) V^T) squared by its own weights, [1]: every value and gradient goes into the digest. */
const resultsOf = (backend: Backend): readonly Parameters[] =>
  // The reference has one order for all sizes, and takes long for large ones.
  sizes.slice(0, backend.kind === "reference" ? 2 : sizes.length).map(([rows, inner, outer]) => {
    const random = Random.make(rows, "numbers")
    const normals = (...shape: readonly number[]) =>
      tensor(
        backend,
        Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.nextNormal()),
        shape
      )
    const parameters = { x: normals(rows, inner), w: normals(outer, inner), v: normals(inner, outer) }
    const { value, gradients } = valueAndGrad(({ x, w, v }: typeof parameters) => {
      const likely = softmax(linear(gelu(linear(x!, w!)), v!))
      return { loss: sum(linear(likely, x!)), auxiliary: {} }
    })(parameters)
    return { ...gradients, value }
  })

const digestIn = async (backend: Backend): Promise<string> => {
  const results = scope(() => resultsOf(backend))
  const hash = createHash("sha256")
  for (const tensors of results) {
    for (const [name, result] of Object.entries(tensors)) {
      const values = await result.read()
      hash.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
      result.release()
    }
  }
  return hash.digest("hex").slice(0, 16)
}

/** In f32, and in bf16 where the backend multiplies that. */
export const numbersOf = async (backend: Backend): Promise<string> => {
  const digests: string[] = []
  for (const arithmetic of ["f32", "bf16"] satisfies readonly Arithmetic[]) {
    try {
      digests.push(await digestIn(backend.withArithmetic(arithmetic)))
    } catch (error) {
      if (!(error instanceof BackendUnavailable)) throw error
    }
  }
  return digests.join("+")
}
