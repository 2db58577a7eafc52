/** Largest weights whose groups still have a scale: (max - min) / (2^b - 1) must not overflow the format that holds it. */

/** The largest number in half precision. A range of twice that over at least 3 steps is below it. */
export const largestHalf = 65504

/** Nearly half of the largest number in single precision and in bfloat16: the difference of two such weights is finite. */
export const largestSingle = 1.6e38
