/**
 * Kullback-Leibler divergences of rows of logits, both ways (arXiv:2511.08914, CAKLD):
 * forward[r] = sum_v pt (log pt - log ps), reverse[r] = sum_v ps (log ps - log pt), p = softmax(logits / temperature).
 * student and teacher [R, V] -> forward [R], reverse [R], unweighted; 0 for rows of weight 0, whose logits are not looked
 * at. With `gradient` [R, V] given, adds weights[r] d(beta reverse[r] + (1 - beta) forward[r])/dstudent to it. The teacher
 * is a constant.
 */
import { apply } from "../../core/apply.ts"
import { InvalidAttribute, MissingOperand } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type Tensor, zeros } from "../../core/Tensor.ts"
import { normals, spoiledRow } from "../operands/samples.ts"
import { expectAxes, expectSame, expectShape } from "../operands/shapeRules.ts"
import type { KlAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export type { KlAttributes } from "./geometry.ts"

const cases = [
  { rows: 1, vocabulary: 1, beta: 0.5, temperature: 1 },
  { rows: 3, vocabulary: 17, beta: 0, temperature: 1 },
  { rows: 5, vocabulary: 4, beta: 1, temperature: 2 },
  { rows: 0, vocabulary: 5, beta: 0.5, temperature: 1 },
  { rows: 4, vocabulary: 4099, beta: 0.35, temperature: 1.5 }
]

export const klRowsKernel = defineKernel<
  "student" | "teacher" | "weights" | "gradient",
  "forward" | "reverse",
  KlAttributes
>({
  name: "klRows",
  inputs: {
    student: { dtypes: ["f32"] },
    teacher: { dtypes: ["f32"], constant: true },
    weights: { dtypes: ["f32"], optional: true, constant: true },
    gradient: { dtypes: ["f32"], optional: true, updated: true }
  },
  outputs: ["forward", "reverse"],
  infer: ({ student, teacher, weights, gradient }, { beta, temperature }) => {
    expectAxes("klRows", "student", student, 2)
    expectSame("klRows", "teacher", teacher, "student", student)
    const rows = [student[0]!]
    if (weights !== undefined) expectShape("klRows", "weights", weights, rows)
    if (gradient !== undefined) {
      if (weights === undefined) throw new MissingOperand("klRows", "weights")
      expectSame("klRows", "gradient", gradient, "student", student)
    }
    // Above 1 the forward divergence counts against the loss: the reference's mean confidence may be that large.
    if (!(beta >= 0 && Number.isFinite(beta)))
      throw new InvalidAttribute("klRows", "beta", beta, "a finite number of at least 0")
    if (!(temperature > 0)) throw new InvalidAttribute("klRows", "temperature", temperature, "a positive number")
    return { forward: { shape: rows }, reverse: { shape: rows } }
  },
  gradient: {
    saves: { inputs: ["student", "teacher"] },
    // The gradients of the divergences are the weights of the rows, one divergence after the other.
    backward: ({ saved: { student, teacher }, cotangents, attributes: { temperature } }) => {
      if (!student || !teacher) return {}
      const gradient = zeros(student.backend, student.shape)
      const accumulate = (weights: Tensor | undefined, beta: number) => {
        if (weights) apply(klRowsKernel, { student, teacher, weights, gradient }, { beta, temperature })
      }
      accumulate(cotangents.forward, 0)
      accumulate(cotangents.reverse, 1)
      return { student: gradient }
    }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs: { student, gradient } }) => ({
    flops: (gradient ? 40 : 30) * sizeOf(student),
    bytes: (gradient ? 16 : 8) * sizeOf(student)
  }),
  samples: (random) => [
    ...cases.flatMap(({ rows, vocabulary, beta, temperature }) => {
      const name = `${rows}x${vocabulary} beta ${beta} temperature ${temperature}`
      const attributes = { beta, temperature }
      const inputs = () => ({
        student: normals(random, [rows, vocabulary], 3),
        teacher: normals(random, [rows, vocabulary], 3)
      })
      return [
        { name, inputs: inputs(), attributes },
        {
          name: `${name} with gradient`,
          inputs: { ...inputs(), weights: normals(random, [rows]), gradient: normals(random, [rows, vocabulary]) },
          attributes
        }
      ]
    }),
    {
      name: "3x17, the second row of weight 0",
      inputs: {
        student: spoiledRow(normals(random, [3, 17]), 1),
        teacher: spoiledRow(normals(random, [3, 17]), 1),
        weights: { shape: [3], values: [0.5, 0, -2] },
        gradient: normals(random, [3, 17])
      },
      attributes: { beta: 0.5, temperature: 1 },
      differentiable: false
    }
  ],
  // Differences of logarithms near each other cancel.
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/**
 * KL(teacher || student) and KL(student || teacher) of logits [R, V], each [R], unweighted but 0 where the weight is 0,
 * whatever the logits. With `gradient` [R, V], adds to it the gradient of the sum of weights[r] (beta reverse[r] + (1 - beta) forward[r]). Differentiable by student.
 */
export const klRows = (
  student: Tensor,
  teacher: Tensor,
  weights: Tensor | undefined,
  attributes: KlAttributes,
  gradient?: Tensor
): { readonly forward: Tensor; readonly reverse: Tensor } =>
  apply(klRowsKernel, { student, teacher, weights, gradient }, attributes)
