/** Largest weights whose groups still have a scale: (max - min) / (2^b - 1) must not overflow the format that holds it. */

/** The largest number in half precision. A range of twice that over at least 3 steps is below it. */
export const largestHalf = 65504

/** Half of the largest number in single precision: the difference of two such weights is finite. */
export const largestSingle = 1.7014117e38
