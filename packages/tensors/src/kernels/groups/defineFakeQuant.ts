/**
 * Defines a fake quantization by groups as two kernels: y [N, K] and the parameters of the groups from a weight [N, K], and
 * the weight's gradient from that of y, which passes straight through the rounding. Parameters carry no gradient.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel, type Kernel, type Tolerance } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import { normals, type SampleOperand, type SampleRandom } from "../operands/samples.ts"
import { expectSame, expectShape } from "../operands/shapeRules.ts"

type Bodies<I extends string, O extends string, A extends object> = Pick<
  Kernel<I, O, A>,
  "reference" | "native" | "gpujs" | "webgpu"
> & {
  /** Floating-point operations for each weight. */
  readonly flops: number
}

interface FakeQuant<P extends string, A extends object> {
  readonly name: string
  /** Names of what is found for every group. */
  readonly parameters: readonly P[]
  /** Their shape, after a check of all attributes. Raises ShapeMismatch and InvalidAttribute. */
  parameterShape(kernel: string, weight: Shape, attributes: A): Shape
  readonly cases: readonly (readonly [Shape, A])[]
  caseName(shape: Shape, attributes: A): string
  /** Weights for a case. */
  weight(random: SampleRandom, shape: Shape, attributes: A): SampleOperand
  readonly forward: Bodies<"weight", "y" | P, A>
  readonly backward: Bodies<"dy" | "weight" | P, "dweight", A> & { readonly tolerance: Tolerance }
}

interface FakeQuantKernels<P extends string, A extends object> {
  readonly kernel: Kernel<"weight", "y" | P, A>
  readonly gradientKernel: Kernel<"dy" | "weight" | P, "dweight", A>
}

const named = <N extends string, T>(names: readonly N[], make: (name: N) => T): { readonly [K in N]: T } =>
  Object.fromEntries(names.map((name) => [name, make(name)])) as { readonly [K in N]: T }

export const defineFakeQuant = <P extends string, A extends object>({
  name,
  parameters,
  parameterShape,
  cases,
  caseName,
  weight: weightOf,
  forward,
  backward
}: FakeQuant<P, A>): FakeQuantKernels<P, A> => {
  const gradientName = `${name}Gradient`
  const { flops, ...bodies } = forward
  const { flops: gradientFlops, ...gradientBodies } = backward

  /** What the definition finds for a weight. */
  const found = (weight: SampleOperand, attributes: A): { readonly [K in P]: SampleOperand } => {
    const { shape } = weight
    const extents = parameterShape(name, shape, attributes)
    const shapes = named<"y" | P, Shape>(["y", ...parameters], (output) => (output === "y" ? shape : extents))
    const outputs = named(["y", ...parameters], (output) => new Float64Array(sizeOf(shapes[output])))
    const geometry = { inputs: { weight: shape }, outputs: shapes }
    forward.reference({ weight: Float64Array.from(weight.values) }, outputs, geometry, attributes, (value) => value)
    return named(parameters, (parameter) => ({ shape: extents, values: outputs[parameter] }))
  }

  const gradientKernel = defineKernel<"dy" | "weight" | P, "dweight", A>({
    ...gradientBodies,
    name: gradientName,
    inputs: named<"dy" | "weight" | P, { dtypes: ["f32"] }>(["dy", "weight", ...parameters], () => ({
      dtypes: ["f32"]
    })),
    outputs: ["dweight"],
    infer: (shapes, attributes) => {
      const extents = parameterShape(gradientName, shapes.weight, attributes)
      expectSame(gradientName, "dy", shapes.dy, "weight", shapes.weight)
      for (const parameter of parameters) expectShape(gradientName, parameter, shapes[parameter], extents)
      return { dweight: { shape: shapes.weight } }
    },
    cost: ({ inputs }) => ({ flops: gradientFlops * sizeOf(inputs.weight), bytes: 12 * sizeOf(inputs.weight) }),
    samples: (random) =>
      cases.map(([shape, attributes]) => {
        const weight = weightOf(random, shape, attributes)
        return {
          name: caseName(shape, attributes),
          inputs: { dy: normals(random, shape), weight, ...found(weight, attributes) },
          attributes
        }
      })
  })

  const kernel = defineKernel<"weight", "y" | P, A>({
    ...bodies,
    name,
    inputs: { weight: { dtypes: ["f32"] } },
    outputs: ["y", ...parameters],
    infer: ({ weight }, attributes) => {
      const extents = parameterShape(name, weight, attributes)
      return named<"y" | P, { shape: Shape }>(["y", ...parameters], (output) => ({
        shape: output === "y" ? weight : extents
      }))
    },
    gradient: {
      saves: { inputs: ["weight"], outputs: parameters },
      auxiliary: parameters,
      backward: ({ saved, cotangents: { y: dy }, attributes }) => ({
        weight: apply(gradientKernel, { dy, ...saved }, attributes).dweight
      })
    },
    cost: ({ inputs }) => ({ flops: flops * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
    samples: (random) =>
      cases.map(([shape, attributes]) => ({
        name: caseName(shape, attributes),
        inputs: { weight: weightOf(random, shape, attributes) },
        attributes,
        differentiable: false
      })),
    tolerance: { relative: 0, absolute: 0 }
  })
  return { kernel, gradientKernel }
}
