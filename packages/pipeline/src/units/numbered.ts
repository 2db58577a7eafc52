/** Names of batches and units, in the order of their numbers. */

/** @example numbered("step", 7) // "step-00000007" */
export const numbered = (name: string, number: number, digits = 8): string =>
  `${name}-${String(number).padStart(digits, "0")}`
