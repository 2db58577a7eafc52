/** At and below this many rows of x, y = x W^T is bound by reading W: one pass of dot products over its rows. */
export const fewRows = 4
