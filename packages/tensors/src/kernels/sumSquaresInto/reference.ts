import type { Arrays } from "../../Kernel.ts"

/** total += sum of x[i]^2 */
export const reference = ({ x, total }: Arrays<"x" | "total">): void => {
  let sum = 0
  for (const value of x) sum += value * value
  total[0]! += sum
}
