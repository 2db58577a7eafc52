import type { Arrays } from "../../Kernel.ts"

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** y = gate sigmoid(gate) up */
export const reference = ({ gate, up }: Arrays<"gate" | "up">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = gate[i]! * sigmoid(gate[i]!) * up[i]!
}

/** With s = sigmoid(gate): dgate = dy up s (1 + gate (1 - s)), dup = dy gate s */
export const referenceGradient = (
  { gate, up, dy }: Arrays<"gate" | "up" | "dy">,
  { dgate, dup }: Arrays<"dgate" | "dup">
): void => {
  for (let i = 0; i < dy.length; i++) {
    const s = sigmoid(gate[i]!)
    dgate[i] = dy[i]! * up[i]! * s * (1 + gate[i]! * (1 - s))
    dup[i] = dy[i]! * gate[i]! * s
  }
}
