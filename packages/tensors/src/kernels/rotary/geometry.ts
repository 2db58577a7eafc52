/** Attributes of the rotary embedding. */
export interface RotaryAttributes {
  /** Base of the wavelengths. */
  readonly theta: number
  /** Rotates backwards: the gradient. */
  readonly inverse: boolean
}

/**
 * Cosine and sine of position theta^(-2 j / D), in double precision. Bodies round them to f32 afterwards:
 * an f32 angle would be off by 5e-4 at position 8192.
 */
export const rotation = (position: number, j: number, width: number, { theta, inverse }: RotaryAttributes) => {
  const angle = position * theta ** ((-2 * j) / width)
  return { cosine: Math.cos(angle), sine: inverse ? -Math.sin(angle) : Math.sin(angle) }
}
