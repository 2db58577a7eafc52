/** Comparison of tensors: says where the worst element is and by how much it misses. */
import { assert } from "vitest"
import { formatShape, type Shape, type Tolerance } from "../../src/index.ts"

const placeOf = (shape: Shape, index: number): Shape => {
  const place: number[] = []
  let rest = index
  for (const extent of [...shape].reverse()) {
    place.unshift(rest % extent)
    rest = Math.floor(rest / extent)
  }
  return place
}

/** Every element within absolute + relative |expected|; NaN and infinities in the same places. */
export const assertClose = (
  what: string,
  shape: Shape,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative, absolute }: Tolerance
): void => {
  assert.strictEqual(actual.length, expected.length, `${what}: elements`)
  let worst = -1
  let excess = 0
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!]
    if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue
    const miss = Math.abs(a - e) - (absolute + relative * Math.abs(e))
    const wrong = Number.isFinite(a) && Number.isFinite(e) ? miss : Number.POSITIVE_INFINITY
    if (wrong > excess) {
      excess = wrong
      worst = i
    }
  }
  if (worst >= 0) {
    assert.fail(
      `${what} ${formatShape(shape)} at ${formatShape(placeOf(shape, worst))}: ${actual[worst]}, expected ${expected[worst]}, allowed ${relative} relative + ${absolute}`
    )
  }
}

/**
 * What is not finite stays so, and every other element is close or became NaN: for kernels that may multiply what is hidden
 * by 0.
 */
export const assertCarried = (
  what: string,
  shape: Shape,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance
): void => {
  const excused = Array.from(actual, (value, i) => {
    const wanted = expected[i]!
    return Number.isNaN(value) || (!Number.isFinite(value) && !Number.isFinite(wanted)) ? wanted : value
  })
  assertClose(what, shape, excused, expected, tolerance)
}

/** The same numbers, NaN equal to NaN; 0 and -0 are one number. */
export const assertSame = (what: string, shape: Shape, actual: ArrayLike<number>, expected: ArrayLike<number>): void =>
  assertClose(what, shape, actual, expected, { relative: 0, absolute: 0 })

/** The same bits, element by element (any NaN for any NaN). */
export const assertIdentical = (what: string, actual: ArrayLike<number>, expected: ArrayLike<number>): void => {
  assert.strictEqual(actual.length, expected.length, `${what}: elements`)
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) assert.fail(`${what}: element ${i} is ${actual[i]}, before ${expected[i]}`)
  }
}

/** The wider of two tolerances. */
export const wider = (a: Tolerance, b: Tolerance): Tolerance => ({
  relative: Math.max(a.relative, b.relative),
  absolute: Math.max(a.absolute, b.absolute)
})
