import { type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"

export const native: NativeBody = (engine, { inputs: { logits }, outputs: { confidence } }) => {
  const [rows, vocabulary] = logits!.shape as readonly [number, number]
  const operands = [reading(logits, 4 * vocabulary), writing(confidence, 4)]
  engine.rows({ entry: "confidenceRows", rows, operands, scalars: [vocabulary] })
}
