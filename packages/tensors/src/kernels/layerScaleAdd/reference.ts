import type { Arrays } from "../../Kernel.ts"

/** y[r, c] = residual[r, c] + x[r, c] scale[c] */
export const reference = ({ residual, x, scale }: Arrays<"residual" | "x" | "scale">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = residual[i]! + x[i]! * scale[i % scale.length]!
}

/** dx[r, c] = dy[r, c] scale[c], dscale[c] = sum over r of dy[r, c] x[r, c] */
export const referenceGradient = (
  { x, scale, dy }: Arrays<"x" | "scale" | "dy">,
  { dx, dscale }: Arrays<"dx" | "dscale">
): void => {
  dscale.fill(0)
  for (let i = 0; i < dy.length; i++) {
    const c = i % scale.length
    dx[i] = dy[i]! * scale[c]!
    dscale[c]! += dy[i]! * x[i]!
  }
}
