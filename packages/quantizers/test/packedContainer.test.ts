/** The packed container: written, read back, and refused where it is damaged. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bytesOf, Safetensors, type TensorStore } from "@speedq/formats"
import { makeReferenceBackend, Random, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import {
  bilevel,
  decodeChoice,
  embeddingSym4,
  flatAsymmetric,
  isPackedContainer,
  n2f3,
  noneQuantizer,
  type PackedWeight,
  packedContainer,
  packWeight,
  type QuantizerChoice,
  quantizers,
  readPackedContainer,
  storedBytes,
  uniform,
  withReferenceQuirks
} from "../src/index.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { raisedBy } from "./support/raisedBy.ts"

const backend = makeReferenceBackend()
const directory = mkdtempSync(join(tmpdir(), "speedq-packed-"))
afterAll(() => rmSync(directory, { recursive: true }))

const shape = [32, 96]
const choices: { readonly [layer: string]: QuantizerChoice } = {
  "layers.0.q_proj": bilevel({ bits: 2, group: 16, scaleGroup: 16 }),
  "layers.0.k_proj": bilevel({ bits: 4, group: 32, scaleGroup: 32 }),
  "layers.0.v_proj": uniform({ bits: 3, group: 8 }),
  "layers.0.o_proj": flatAsymmetric(2, { group: 48 }),
  "layers.0.up_proj": n2f3({ group: 24 }),
  embed_tokens: embeddingSym4(),
  // The reference's second level is in single precision, its arithmetic in 16 bits.
  "layers.1.q_proj": decodeChoice(
    withReferenceQuirks({ use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } })
  ),
  lm_head: decodeChoice(withReferenceQuirks({ use: "embedding-sym4" }))
}

const weightOf = (seed: number) => {
  const random = Random.make(seed)
  return tensor(
    backend,
    Float32Array.from({ length: 32 * 96 }, () => 0.02 * random.nextNormal()),
    shape
  )
}
const names = Object.keys(choices)

/** Numbers of 16 bits whose second is NaN. */
const damagedHalf = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy.set([0x01, 0x7c], 2)
  return copy
}
const bias = Float32Array.of(1, 2, 3)

const packed = async (): Promise<ReadonlyMap<string, PackedWeight>> => {
  const weights = new Map<string, PackedWeight>()
  for (const [index, name] of names.entries()) {
    const choice = choices[name]!
    const quantized = choice.quantizer.quantize(choice.config, weightOf(index))
    weights.set(name, await packWeight(name, choice, shape, quantized))
  }
  return weights
}

const write = async (
  file: string,
  change: (container: ReturnType<typeof packedContainer>) => ReturnType<typeof packedContainer> = (same) => same
): Promise<string> => {
  const others = [{ name: "bias", dtype: "F32" as const, shape: [3], data: Effect.succeed(bytesOf(bias)) }]
  const { entries, metadata } = change(packedContainer(await packed(), others))
  const path = join(directory, file)
  await Effect.runPromise(Safetensors.write(path, entries, { metadata }))
  return path
}

const withStore = <T>(path: string, use: (store: TensorStore) => T): T => {
  const store = Safetensors.openSync(path)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

describe("a packed container", () => {
  it("gives every weight back, bit for bit, and everything else as it was", async () => {
    const path = await write("whole.safetensors")
    const weights = withStore(path, (store) => {
      assert.isTrue(isPackedContainer(store))
      assert.deepEqual(store.read("bias"), bytesOf(bias))
      return readPackedContainer(backend, store)
    })
    assert.sameMembers([...weights.keys()], names)
    for (const [index, name] of names.entries()) {
      const { quantizer, config } = choices[name]!
      const expected = await numbersOf(() => quantizer.fakeQuantize(config, weightOf(index)))
      assert.deepEqual(bitsOf(await numbersOf(weights.get(name)!.unpack)), bitsOf(expected), name)
      const { choice } = weights.get(name)!
      assert.deepEqual({ quantizer: choice.quantizer, config: choice.config }, { quantizer, config }, name)
    }
  })

  it("holds each weight in the bytes that the quantizer says", async () => {
    const path = await write("bytes.safetensors")
    withStore(path, (store) => {
      for (const name of names) {
        const parts = [...store.tensors].filter(([entry]) => entry.startsWith(`${name}.weight.`))
        const bytes = parts.reduce((sum, [, { byteLength }]) => sum + byteLength, 0)
        assert.strictEqual(bytes, storedBytes(choices[name]!, shape), name)
      }
    })
  })

  it.each([undefined, "embed_tokens"])(
    "is written again, byte for byte, from what was read, %s first",
    async (early) => {
      const path = await write("first.safetensors")
      const again = join(directory, "second.safetensors")
      const first = Safetensors.openSync(path)
      const weights = readPackedContainer(backend, first, quantizers, early)
      assert.deepEqual([...weights.keys()], names)
      const { entries, metadata } = packedContainer(weights, [])
      await Effect.runPromise(Safetensors.write(again, entries, { metadata }))
      withStore(again, (second) => {
        for (const name of second.tensors.keys()) assert.deepEqual(second.read(name), first.read(name), name)
        assert.strictEqual(second.tensors.size, first.tensors.size - 1)
      })
      first.close()
    }
  )

  const parameter = `${names[0]}.weight`
  const describing =
    (change: (described: { [key: string]: unknown }) => object) => (container: ReturnType<typeof packedContainer>) => {
      const description = JSON.parse(container.metadata["quantized"]!)
      const changed = { ...description, [parameter]: change(description[parameter]) }
      return { ...container, metadata: { ...container.metadata, quantized: JSON.stringify(changed) } }
    }
  const setting = (key: string, value: string) => (container: ReturnType<typeof packedContainer>) => ({
    ...container,
    metadata: { ...container.metadata, [key]: value }
  })

  it.each([
    {
      what: "another format",
      change: setting("format", "pt"),
      error: "PackedInvalid",
      says: "no speedq-packed container"
    },
    { what: "another version", change: setting("version", "9"), error: "PackedInvalid", says: "version 9" },
    { what: "no JSON", change: setting("quantized", "{"), error: "PackedInvalid", says: "not JSON" },
    { what: "a list", change: setting("quantized", "[1]"), error: "PackedInvalid", says: "damaged" },
    {
      what: "a shape that is none",
      change: describing((described) => ({ ...described, shape: [32, -1] })),
      error: "PackedInvalid",
      says: "damaged"
    },
    {
      what: "a shape that the group does not divide",
      change: describing((described) => ({ ...described, shape: [32, 97] })),
      error: "PackedInvalid",
      says: "97 input columns are not a multiple of group 16"
    },
    {
      what: "a shape of another size",
      change: describing((described) => ({ ...described, shape: [16, 96] })),
      error: "PackedInvalid",
      says: `${parameter}.codes is U8 [768], it must be U8 [384]`
    },
    {
      what: "another quantizer version",
      change: describing((described) => ({ ...described, version: 2 })),
      error: "QuantizerVersionDiffers",
      says: 'made by version 2 of quantizer "bilevel", but this is version 1'
    },
    {
      what: "an unknown quantizer",
      change: describing((described) => ({ ...described, use: "trilevel" })),
      error: "QuantizerMissing",
      says: 'made with quantizer "trilevel" (version 1), which is not loaded; known quantizers: bilevel, uniform'
    },
    {
      what: "bits out of range",
      change: describing((described) => ({ ...described, with: { bits: 9, group: 16, scaleGroup: 16 } })),
      error: "QuantizerConfigInvalid",
      says: "bits"
    }
  ])("with $what is refused and leaves nothing allocated", async ({ change, error, says }) => {
    const path = await write("damaged.safetensors", change)
    const before = backend.usage().buffers
    withStore(path, (store) => {
      const raised = raisedBy(() => readPackedContainer(backend, store))
      assert.strictEqual(raised._tag, error)
      assert.include(raised.message, says)
    })
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("with a weight's part missing says which", async () => {
    const path = await write("partial.safetensors", (container) => ({
      ...container,
      entries: container.entries.filter((entry) => entry.name !== `${parameter}.step`)
    }))
    const before = backend.usage().buffers
    withStore(path, (store) => assert.throws(() => readPackedContainer(backend, store), `${parameter}.step`))
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("with a scale that is no number says which", async () => {
    const path = await write("scale.safetensors", (container) => ({
      ...container,
      entries: container.entries.map((entry) =>
        entry.name === `${parameter}.step`
          ? { ...entry, data: Effect.map(entry.data, (bytes) => damagedHalf(bytes as Uint8Array)) }
          : entry
      )
    }))
    const before = backend.usage().buffers
    withStore(path, (store) => {
      const { _tag, message } = raisedBy(() => readPackedContainer(backend, store))
      assert.strictEqual(_tag, "TensorNotFinite")
      assert.match(message, /q_proj\.weight\.step" has 1 NaN and 0 infinite of its \d+ numbers, the first at \[1\]/)
    })
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("is read with a user's own quantizers", async () => {
    const own = { ...noneQuantizer, id: "mine", version: 3, plugin: "mine.ts" }
    const weight = weightOf(0)
    const held = await packWeight("w", { quantizer: own, config: {} }, shape, own.quantize({}, weight))
    const { entries, metadata } = packedContainer(new Map([["w", held]]), [])
    const path = join(directory, "own.safetensors")
    await Effect.runPromise(Safetensors.write(path, entries, { metadata }))
    withStore(path, (store) => {
      const { _tag, message } = raisedBy(() => readPackedContainer(backend, store))
      assert.strictEqual(_tag, "QuantizerMissing")
      assert.include(
        message,
        `${path}: made with quantizer "mine" (version 3) of the plugin mine.ts, which is not loaded`
      )
      assert.include(message, "add --plugin mine.ts")
      assert.strictEqual(readPackedContainer(backend, store, [...quantizers, own]).get("w")!.choice.quantizer, own)
    })
  })
})
