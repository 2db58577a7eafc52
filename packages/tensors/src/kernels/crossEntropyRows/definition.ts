/**
 * Cross entropy of rows of logits against labels, smoothed: loss[r] = (1 - s) (-log p[r, label]) + s mean_v(-log p[r, v]).
 * logits [R, V], labels i32 [R] -> loss [R], unweighted; 0 for rows of label -100 or weight 0, whose logits are not looked
 * at. With `gradient` [R, V] given, adds weights[r] dloss[r]/dlogits to it in the same pass: no other [R, V] exists. Equal
 * to softmax, log and a sum.
 */
import { apply } from "../../core/apply.ts"
import { InvalidAttribute, MissingOperand } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type Tensor, zeros } from "../../core/Tensor.ts"
import { indices, normals, spoiledRow } from "../operands/samples.ts"
import { expectAxes, expectSame, expectShape } from "../operands/shapeRules.ts"
import { type CrossEntropyAttributes, ignoredLabel } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export type { CrossEntropyAttributes } from "./geometry.ts"

const cases = [
  { rows: 1, vocabulary: 1, smoothing: 0 },
  { rows: 3, vocabulary: 17, smoothing: 0.1 },
  { rows: 5, vocabulary: 4, smoothing: 0 },
  { rows: 0, vocabulary: 5, smoothing: 0.1 },
  { rows: 4, vocabulary: 4099, smoothing: 0.1 }
]

export const crossEntropyRowsKernel = defineKernel<
  "logits" | "labels" | "weights" | "gradient",
  "loss",
  CrossEntropyAttributes
>({
  name: "crossEntropyRows",
  inputs: {
    logits: { dtypes: ["f32"] },
    labels: { dtypes: ["i32"] },
    weights: { dtypes: ["f32"], optional: true, constant: true },
    gradient: { dtypes: ["f32"], optional: true, updated: true }
  },
  outputs: ["loss"],
  infer: ({ logits, labels, weights, gradient }, { smoothing }) => {
    expectAxes("crossEntropyRows", "logits", logits, 2)
    const rows = [logits[0]!]
    expectShape("crossEntropyRows", "labels", labels, rows)
    if (weights !== undefined) expectShape("crossEntropyRows", "weights", weights, rows)
    if (gradient !== undefined) {
      if (weights === undefined) throw new MissingOperand("crossEntropyRows", "weights")
      expectSame("crossEntropyRows", "gradient", gradient, "logits", logits)
    }
    if (!(smoothing >= 0 && smoothing <= 1)) {
      throw new InvalidAttribute("crossEntropyRows", "smoothing", smoothing, "a number in [0, 1]")
    }
    return { loss: { shape: rows } }
  },
  gradient: {
    saves: { inputs: ["logits", "labels"] },
    // The gradients of the losses are the weights of the rows.
    backward: ({ saved: { logits, labels }, cotangents: { loss: weights }, attributes }) => {
      if (!logits || !labels || !weights) return {}
      const gradient = zeros(logits.backend, logits.shape)
      apply(crossEntropyRowsKernel, { logits, labels, weights, gradient }, attributes)
      return { logits: gradient }
    }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs: { logits, gradient } }) => ({
    flops: (gradient ? 20 : 10) * sizeOf(logits),
    bytes: (gradient ? 12 : 4) * sizeOf(logits)
  }),
  samples: (random) => [
    ...cases.flatMap(({ rows, vocabulary, smoothing }) => {
      const label = (row: number) => (row === 1 ? ignoredLabel : Math.floor(random.nextUniform() * vocabulary))
      const inputs = () => ({
        logits: normals(random, [rows, vocabulary], 4),
        labels: indices(Array.from({ length: rows }, (_, row) => label(row)))
      })
      const name = `${rows}x${vocabulary} smoothing ${smoothing}`
      const attributes = { smoothing }
      return [
        { name, inputs: inputs(), attributes },
        {
          name: `${name} with gradient`,
          inputs: {
            ...inputs(),
            weights: normals(random, [rows]),
            gradient: normals(random, [rows, vocabulary])
          },
          attributes
        }
      ]
    }),
    {
      name: "3x17, the second row of weight 0",
      inputs: {
        logits: spoiledRow(normals(random, [3, 17]), 1),
        labels: indices([3, 4, 5]),
        weights: { shape: [3], values: [0.5, 0, -2] },
        gradient: normals(random, [3, 17])
      },
      attributes: { smoothing: 0.1 },
      differentiable: false
    }
  ]
})

/**
 * Losses [R] of logits [R, V] against labels i32 [R], unweighted; rows labelled -100 are 0. With `gradient` [R, V], adds to it
 * the gradient of the sum of weights[r] loss[r]. Differentiable by logits.
 */
export const crossEntropyRows = (
  logits: Tensor,
  labels: Tensor,
  weights: Tensor | undefined,
  attributes: CrossEntropyAttributes,
  gradient?: Tensor
): Tensor => apply(crossEntropyRowsKernel, { logits, labels, weights, gradient }, attributes).loss
