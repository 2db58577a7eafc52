/** The elements of a GPU.js result in one array: it nests rows, in some modes as views of one buffer. */

export type Nested = Float32Array | readonly Nested[]

/** `size` elements in row-major order; without a copy where they lie in one buffer. */
export const flatten = (result: Nested, size: number): Float32Array => {
  let first: Nested = result
  while (!(first instanceof Float32Array)) first = first[0]!
  if (first.byteOffset === 0 && first.buffer.byteLength === 4 * size) return new Float32Array(first.buffer)
  const flat = new Float32Array(size)
  let position = 0
  const append = (part: Nested): void => {
    if (part instanceof Float32Array) {
      flat.set(part, position)
      position += part.length
    } else part.forEach(append)
  }
  append(result)
  return flat
}
