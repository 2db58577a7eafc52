/** Grids of scales and zero points from outside: the nearest that a quantizer can store. */
import { tensor } from "@speedq/tensors"
import { assert, it } from "vitest"
import { uniform } from "../src/index.ts"
import { numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

onEveryBackend("the grid of given scales", (backend) => {
  const given = {
    scale: tensor(backend, Float32Array.of(0.1, 1e-9, -3, 1e6), [2, 2]),
    zero: tensor(backend, Float32Array.of(1.4, -2, 2.6, 9), [2, 2])
  }
  const gridOf = ({ quantizer, config }: ReturnType<typeof uniform>) => {
    const { scale, zero, stored } = quantizer.grid!.nearest!(config, given.scale, given.zero)
    return { scale, zero, stored }
  }

  it("has halves within the halves that are numbers, and zero points among the codes", async () => {
    const { scale, zero, stored } = gridOf(uniform({ bits: 2, group: 4 }))
    assert.deepStrictEqual([...(await numbersOf(() => scale))], [0.0999755859375, 2 ** -24, 2 ** -24, 65504])
    assert.deepStrictEqual([...(await numbersOf(() => zero))], [1, 0, 3, 3])
    assert.sameMembers(Object.keys(stored), ["scale", "zeros"])
  })

  it("keeps scales in f32 above 0, and the one zero point of a symmetric grid", async () => {
    const { scale, zero, stored } = gridOf(uniform({ bits: 4, group: 4, scale: "f32", symmetric: true }))
    const [first, second, third, last] = await numbersOf(() => scale)
    assert.deepStrictEqual([first, second, last], [Math.fround(0.1), Math.fround(1e-9), 1e6])
    assert.isAbove(third!, 0)
    assert.deepStrictEqual([...(await numbersOf(() => zero))], [7, 7, 7, 7])
    assert.sameMembers(Object.keys(stored), ["scale"])
  })
})
