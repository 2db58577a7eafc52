/** Fused kernels equal the composition they replace. */
import { describe, it } from "vitest"
import {
  add,
  addBroadcast,
  addInto,
  attention,
  doubleValues,
  layerScaleAdd,
  linear,
  makeReferenceBackend,
  matmul,
  matmulInto,
  multiply,
  Random,
  reshape,
  type Shape,
  scale,
  softmax,
  squaredError,
  sum,
  type Tensor,
  tensor,
  zeros
} from "../src/index.ts"
import { assertClose } from "./conformance/compare.ts"

const backend = makeReferenceBackend()
const random = Random.make(61, "composition")
const normal = (...shape: Shape): Tensor =>
  tensor(
    backend,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.nextNormal()),
    shape
  )
const assertEqual = (what: string, fused: Tensor, composed: Tensor): void =>
  assertClose(what, fused.shape, doubleValues(fused), doubleValues(composed), { relative: 1e-12, absolute: 1e-12 })

describe("fused kernels", () => {
  it("linear: product with the transpose, then the bias on every row", () => {
    const [x, weight, bias] = [normal(2, 3, 5), normal(7, 5), normal(7)]
    const rows = addBroadcast(matmul(reshape(x, [6, 5]), weight, false, true), bias)
    assertEqual("linear", linear(x, weight, bias), reshape(rows, [2, 3, 7]))
  })

  it("matmulInto: product, then addInto", () => {
    const [a, b, target] = [normal(4, 3), normal(4, 5), normal(3, 5)]
    const composed = add(target, matmul(a, b, true))
    matmulInto(target, a, b, true)
    assertEqual("matmulInto", target, composed)
  })

  it("attention: scores, softmax, weighted values", () => {
    const [q, k, v] = [normal(2, 3, 1, 4), normal(2, 5, 1, 4), normal(2, 5, 1, 4)]
    const matrix = (x: Tensor) => reshape(x, [2, x.shape[1]!, 4])
    const scores = scale(matmul(matrix(q), matrix(k), false, true), 0.5)
    const composed = matmul(softmax(scores), matrix(v))
    assertEqual("attention", attention(q, k, v), reshape(composed, [2, 3, 1, 4]))
  })

  it("causal attention over a cache: the last rows of attention over everything", () => {
    const [q, k, v] = [normal(1, 6, 2, 4), normal(1, 6, 1, 4), normal(1, 6, 1, 4)]
    const whole = attention(q, k, v, { causal: true })
    const lastRows = (x: Tensor) => tensor(backend, Array.from(doubleValues(x)).slice(4 * 8), [1, 2, 2, 4])
    const last = attention(lastRows(q), k, v, { causal: true })
    assertClose("cache", last.shape, doubleValues(last), Array.from(doubleValues(whole)).slice(4 * 8), {
      relative: 1e-12,
      absolute: 1e-12
    })
  })

  it("layerScaleAdd: scaled columns, then the sum", () => {
    const [residual, x, factors] = [normal(3, 4), normal(3, 4), normal(4)]
    const columns = addBroadcast(zeros(backend, [3, 4]), factors)
    assertEqual("layerScaleAdd", layerScaleAdd(residual, x, factors), add(residual, multiply(x, columns)))
  })

  it("squaredError: the sum of weighted squares", () => {
    const [a, b, weight] = [normal(3, 4), normal(3, 4), normal(3, 4)]
    const difference = scale(b, -1)
    addInto(difference, a)
    const composed = scale(sum(multiply(weight, multiply(difference, difference))), 0.25)
    assertEqual("squaredError", squaredError(a, b, 0.25, weight), composed)
  })
})
