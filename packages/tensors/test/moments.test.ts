/** Moments in 16 and 8 bits beside independent references, what they cost in accuracy, and continuing from them. */
import { afterAll, assert, describe, it } from "vitest"
import {
  adamW,
  type Backend,
  InvalidAttribute,
  type MomentFormat,
  makeReferenceBackend,
  momentBytes,
  openBackend,
  Random,
  type Tensor,
  tensor
} from "../src/index.ts"
import { castDithered } from "../src/kernels/castDithered.ts"
import { dynamicCodes, dynamicValues } from "../src/kernels/dynamicCodes/definition.ts"

const native = await openBackend("native")
const backends: readonly Backend[] = [makeReferenceBackend(), native]
afterAll(() => native.close())

const f32 = async (x: Tensor): Promise<Float32Array> => (await x.read()) as Float32Array
const widened = async (x: Tensor): Promise<Float32Array> =>
  new Float32Array(Uint32Array.from(await x.read(), (pattern) => pattern << 16).buffer)

describe.each(backends.map((backend) => [backend.kind, backend] as const))("moments on %s", (_, backend) => {
  it("in bf16 are rounded to neighbours, and on average to themselves", async () => {
    const random = Random.make(1, "dithered")
    const values = Float32Array.from({ length: 700 }, () => random.nextNormal())
    const x = tensor(backend, values, [700])
    const y = tensor(backend, new Uint16Array(700), [700], "bf16")
    const sums = new Float64Array(700)
    const turns = 4096
    for (let step = 0; step < turns; step++) {
      castDithered(x, y, step)
      if (step % 64 === 0) {
        for (const [i, value] of (await widened(y)).entries()) {
          assert.isBelow(Math.abs(value - values[i]!), 2 ** -7 * Math.abs(values[i]!))
        }
      }
      for (const [i, value] of (await widened(y)).entries()) sums[i]! += value
    }
    // Thresholds of a Weyl sequence: the mean is off by some steps of 1 / turns of a last place.
    for (const [i, sum] of sums.entries()) {
      assert.closeTo(sum / turns, values[i]!, (8 / turns) * 2 ** -7 * Math.abs(values[i]!))
    }
  })

  it("in bf16 decay though each step moves them by less than half of a last place", async () => {
    const optimizer = adamW({ states: "bf16", beta2: 0.999 })
    const p = tensor(backend, [1], [1])
    let state = optimizer.init({ p })
    state = optimizer.update({ p }, { p: tensor(backend, [1], [1]) }, state, { learningRate: 0 })
    const none = tensor(backend, [0], [1])
    for (let i = 0; i < 1000; i++) state = optimizer.update({ p }, { p: none }, state, { learningRate: 0 })
    const [v] = await widened(state.v["p"]!)
    assert.closeTo(v!, 0.001 * 0.999 ** 1000, 0.02 * 0.001 * 0.999 ** 1000)
  })

  it("in int8 take the nearest level of the dynamic tree", async () => {
    const random = Random.make(2, "codes")
    for (const signed of [true, false]) {
      const values = Float32Array.from({ length: 1000 }, () => {
        const value = random.nextNormal() * 10 ** (-6 * random.nextUniform())
        return signed ? value : value ** 2
      })
      const x = tensor(backend, values, [8, 125])
      const codes = tensor(backend, new Uint8Array(1000), [8, 125], "u8")
      const scales = tensor(backend, new Float32Array(4), [4])
      dynamicCodes({ x, codes, scales }, { signed })
      const found = await f32(dynamicValues(codes, scales, { signed }))
      // Levels as Dettmers et al. define them, made anew: decades of evenly spaced fractions, their signs, 0 and 1.
      const levels = [0, 1]
      for (let decade = 0; decade < 7; decade++) {
        const count = 2 ** (decade + (signed ? 0 : 1))
        for (let i = 0; i < count; i++) {
          const level = 10 ** (decade - 6) * (0.1 + (0.9 * (i + 0.5)) / count)
          levels.push(level, ...(signed ? [-level] : []))
        }
      }
      assert.strictEqual(levels.length, 256)
      for (const [i, value] of values.entries()) {
        const own = values.subarray(256 * Math.floor(i / 256), 256 * Math.floor(i / 256) + 256)
        const scale = own.reduce((most, each) => Math.max(most, Math.abs(each)), 0)
        const allowed = signed ? levels : levels.filter((level) => level > 0)
        const least = Math.min(...allowed.map((level) => Math.abs(scale * level - value)))
        assert.closeTo(Math.abs(found[i]! - value), least, 1e-6 * scale, `${value} of ${scale}`)
        if (!signed) assert.isAbove(found[i]!, 0)
      }
    }
  })

  it.each(["bf16", "int8"] as const)("in %s follow Adam in f32, and continue with the same bits", async (states) => {
    const size = 300
    const random = Random.make(3, "steps")
    const gradients = Array.from({ length: 40 }, () => Float32Array.from({ length: size }, () => random.nextNormal()))
    const run = async (format: MomentFormat, continued: boolean): Promise<Float32Array> => {
      const optimizer = adamW({ states: format })
      let p = tensor(backend, new Float32Array(size).fill(1), [size])
      let state = optimizer.init({ p })
      for (const [i, gradient] of gradients.entries()) {
        const g = tensor(backend, gradient, [size])
        state = optimizer.update({ p }, { p: g }, state, { learningRate: 0.01 })
        if (!continued || i !== 17) continue
        const copy = async (x: Tensor) => tensor(backend, await x.read(), x.shape, x.dtype)
        const copies = async (all: { readonly [name: string]: Tensor }) => {
          const copied: { [name: string]: Tensor } = {}
          for (const [name, each] of Object.entries(all)) copied[name] = await copy(each)
          return copied
        }
        p = await copy(p)
        state = { step: state.step, m: await copies(state.m), v: await copies(state.v) }
      }
      return f32(p)
    }
    const exact = await run("f32", false)
    const stored = await run(states, false)
    const moved = exact.reduce((sum, value) => sum + (value - 1) ** 2, 0)
    const apart = stored.reduce((sum, value, i) => sum + (value - exact[i]!) ** 2, 0)
    assert.isBelow(Math.sqrt(apart / moved), 0.03)
    assert.isAbove(apart, 0)
    // The reference keeps parameters in double precision, which a copy of them does not.
    if (backend === native) assert.deepEqual(await run(states, true), stored)
  })

  it("take the bytes that are said", () => {
    for (const states of ["f32", "bf16", "int8"] as const) {
      const p = tensor(backend, new Float32Array(2560), [10, 256])
      const before = backend.usage().bytes
      const state = adamW({ states }).init({ p })
      assert.strictEqual(backend.usage().bytes - before, 2 * 2560 * momentBytes[states])
      for (const each of [state.m, state.v].flatMap(Object.values<Tensor>)) each.release()
    }
  })
})

describe("moments", () => {
  it("refuse a step that is none", () => {
    const [x, y] = [tensor(native, [1], [1]), tensor(native, new Uint16Array(1), [1], "bf16")]
    assert.throws(() => castDithered(x, y, 0.5), InvalidAttribute, "castDithered")
  })
})
