import { type NativeBody, reading, shared, total, writing } from "../../backends/native/NativeBody.ts"
import { sizeOf } from "../../Shape.ts"
import type { AdaroundPenaltyAttributes } from "./geometry.ts"

export const native: NativeBody = (engine, { inputs: { alpha }, outputs: { loss }, attributes }) => {
  const { lambda, beta } = attributes as AdaroundPenaltyAttributes
  engine.rows({
    entry: "adaroundPenalty",
    rows: sizeOf(alpha!.shape),
    scratch: true,
    operands: [reading(alpha, 4)],
    partials: [total(loss, { factor: lambda })],
    scalars: [beta]
  })
}

export const nativeGradient: NativeBody = (engine, { inputs: { alpha, dloss }, outputs: { dalpha }, attributes }) => {
  const { lambda, beta } = attributes as AdaroundPenaltyAttributes
  engine.rows({
    entry: "adaroundPenaltyGradient",
    rows: sizeOf(alpha!.shape),
    scratch: true,
    operands: [reading(alpha, 4), shared(dloss), writing(dalpha, 4)],
    scalars: [beta, lambda]
  })
}
