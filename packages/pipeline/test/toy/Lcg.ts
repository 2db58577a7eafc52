/** A small generator whose whole state is one number: enough to make toy steps depend on a random stream. */
export interface Lcg {
  state: number
}

export const nextUint32 = (generator: Lcg): number => {
  generator.state = (Math.imul(generator.state, 1664525) + 1013904223) >>> 0
  return generator.state
}

/** Uniform in [0, 1). */
export const nextUniform = (generator: Lcg): number => nextUint32(generator) / 2 ** 32
