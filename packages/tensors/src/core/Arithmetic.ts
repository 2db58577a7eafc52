/**
 * The arithmetic of matrix products and attention, as PyTorch's autocast has it. "f32": as the numbers are. "bf16": each factor of
 * a product is rounded to the bfloat16 nearest to it (ties to even), products are exact, sums are f32, and so is the result. All
 * else is f32 either way: norms, softmax, losses, optimizers, fake quantization, and products with packed codes.
 */
export type Arithmetic = "f32" | "bf16"

/** What may be asked for: "bf16-or-f32" is f32 on a backend that has no bf16, where "bf16" is refused. */
export type ArithmeticChoice = Arithmetic | "bf16-or-f32"

/** What a factor of a product counts as. */
export type Factor = (value: number) => number
