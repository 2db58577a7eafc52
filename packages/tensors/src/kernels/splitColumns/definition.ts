/**
 * splitColumns: the last axis cut in three (fused q, k, v): x [..., a+b+c] -> [..., a], [..., b], [..., c].
 * joinColumns puts three together; each is the other's gradient.
 */
import { apply } from "../../core/apply.ts"
import { ShapeMismatch } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import { type Tensor, zeros } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { expectRank, expectShape } from "../operands/shapeRules.ts"
import { type SplitAttributes, totalWidth } from "./geometry.ts"
import { gpujsJoin, gpujsSplit } from "./gpujs.ts"
import { nativeJoin, nativeSplit } from "./native.ts"
import { referenceJoin, referenceSplit } from "./reference.ts"

type Parts = "first" | "second" | "third"

const cases: readonly { readonly leading: Shape; readonly widths: readonly [number, number, number] }[] = [
  { leading: [1], widths: [1, 1, 1] },
  { leading: [3], widths: [17, 2, 5] },
  { leading: [2, 5], widths: [4, 0, 3] },
  { leading: [0], widths: [2, 2, 2] },
  { leading: [33], widths: [128, 32, 33] }
]

export const splitColumnsKernel = defineKernel<"x", Parts, SplitAttributes>({
  name: "splitColumns",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["first", "second", "third"],
  infer: ({ x }, attributes) => {
    expectRank("splitColumns", "x", x, 1)
    const total = totalWidth("splitColumns", attributes)
    if (x.at(-1) !== total) {
      throw new ShapeMismatch("splitColumns", "x", `${total} columns for widths ${attributes.widths.join(" + ")}`, x)
    }
    const part = (width: number) => ({ shape: [...x.slice(0, -1), width] })
    const [a, b, c] = attributes.widths
    return { first: part(a), second: part(b), third: part(c) }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents, shapes: { outputs } }) => {
      const some = cotangents.first ?? cotangents.second ?? cotangents.third
      if (!some) return {}
      const part = (name: Parts) => cotangents[name] ?? zeros(some.backend, outputs[name])
      return { x: joinColumns(part("first"), part("second"), part("third")) }
    }
  },
  reference: referenceSplit,
  native: nativeSplit,
  gpujs: gpujsSplit,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    cases.map(({ leading, widths }) => ({
      name: `${leading.join("x")} of ${widths.join("+")}`,
      inputs: { x: normals(random, [...leading, widths[0] + widths[1] + widths[2]]) },
      attributes: { widths }
    }))
})

export const joinColumnsKernel = defineKernel<Parts, "y", object>({
  name: "joinColumns",
  inputs: { first: { dtypes: ["f32"] }, second: { dtypes: ["f32"] }, third: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ first, second, third }) => {
    expectRank("joinColumns", "first", first, 1)
    expectRank("joinColumns", "second", second, 1)
    expectRank("joinColumns", "third", third, 1)
    const leading = first.slice(0, -1)
    expectShape("joinColumns", "second", second, [...leading, second.at(-1)!])
    expectShape("joinColumns", "third", third, [...leading, third.at(-1)!])
    return { y: { shape: [...leading, first.at(-1)! + second.at(-1)! + third.at(-1)!] } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, shapes: { inputs } }) => {
      if (!dy) return {}
      const [first, second, third] = splitColumns(dy, [
        inputs.first.at(-1)!,
        inputs.second.at(-1)!,
        inputs.third.at(-1)!
      ])
      return { first, second, third }
    }
  },
  reference: referenceJoin,
  native: nativeJoin,
  gpujs: gpujsJoin,
  cost: ({ outputs }) => ({ flops: 0, bytes: 8 * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.map(({ leading, widths }) => ({
      name: `${leading.join("x")} of ${widths.join("+")}`,
      inputs: {
        first: normals(random, [...leading, widths[0]]),
        second: normals(random, [...leading, widths[1]]),
        third: normals(random, [...leading, widths[2]])
      },
      attributes: {}
    }))
})

/** Cuts the last axis in three parts of the given widths. */
export const splitColumns = (
  x: Tensor,
  widths: readonly [number, number, number]
): readonly [Tensor, Tensor, Tensor] => {
  const { first, second, third } = apply(splitColumnsKernel, { x }, { widths })
  return [first, second, third]
}

/** Puts three tensors together along the last axis. */
export const joinColumns = (first: Tensor, second: Tensor, third: Tensor): Tensor =>
  apply(joinColumnsKernel, { first, second, third }, {}).y
