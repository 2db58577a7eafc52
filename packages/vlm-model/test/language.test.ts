import { parameterOf, Safetensors } from "@speedq/formats"
import { type Backend, gatherRows, linear, makeReferenceBackend, scope, type Tensor, tensor } from "@speedq/tensors"
import { afterAll, assert, describe, it } from "vitest"
import {
  decoder,
  embeddingLayerOf,
  embedTokens,
  ImageTokenMismatch,
  imageTokenRows,
  linearLayer,
  linearLayers,
  loadWeights,
  mapLayers,
  mergeEmbeddings,
  WeightMissing,
  weightsFrom
} from "../src/index.ts"
import { headProduct, type Weights } from "../src/model/Weights.ts"
import {
  largestDifference,
  loadDirectory,
  single,
  singleEmbeddings,
  singleLogits,
  tinyConfig,
  tinyDirectory
} from "./tinyModel.ts"

const backend = makeReferenceBackend()
afterAll(() => backend.close())
const { parameters } = loadDirectory(backend, tinyDirectory)
const weights = weightsFrom(parameters)
const columns = tinyConfig.llm_config.vocab_size

describe("logitsOfRows", () => {
  it("computes the rows that are asked for, in their order", async () => {
    const all = await singleLogits(backend, tinyConfig, parameters)
    const some = await singleLogits(backend, tinyConfig, parameters, [14, 0, 14])
    const rowOf = (row: number) => [...all.subarray(row * columns, (row + 1) * columns)]
    assert.deepStrictEqual([...some], [14, 0, 14].flatMap(rowOf))
  })

  it("never holds the logits of the others", async () => {
    const widest: number[] = []
    const watched: Backend = {
      ...backend,
      allocate: (spec, options) => {
        if (spec.shape.at(-1) === columns) widest.push(spec.shape[0]!)
        return backend.allocate(spec, options)
      }
    }
    const store = Safetensors.openModelSync(tinyDirectory)
    const own = loadWeights(watched, tinyConfig, store)
    store.close()
    await singleLogits(watched, tinyConfig, own, [3, 9])
    assert.deepStrictEqual(widest, [2])
    for (const weight of Object.values(own)) weight.release()
  })
})

describe("decoder", () => {
  const positions = (count: number) => ({
    ids: tensor(
      backend,
      Int32Array.from({ length: count }, (_, i) => i),
      [1, count],
      "i32"
    )
  })

  it("is causal: what comes later changes nothing before", async () => {
    const run = async (ids: readonly number[]) => {
      const hidden = scope(() => {
        const index = tensor(backend, [...ids], [1, ids.length], "i32")
        return decoder(
          weights,
          tinyConfig.llm_config,
          mergeEmbeddings(weights, tinyConfig.llm_config, index, [], new Int32Array()),
          positions(ids.length)
        )
      })
      return (await hidden.read()) as Float32Array
    }
    const [one, other] = [await run([5, 6, 7, 8]), await run([5, 6, 9, 1])]
    assert.deepStrictEqual(one.slice(0, 2 * 64), other.slice(0, 2 * 64))
    assert.isAbove(largestDifference(one.slice(2 * 64), other.slice(2 * 64)), 1e-3)
  })

  it("runs layers as it is told to, each once and in order", () => {
    const ran: number[] = []
    const embeddings = singleEmbeddings(backend, tinyConfig, weights)
    decoder(weights, tinyConfig.llm_config, embeddings, positions(single.ids.length), undefined, (index, x) => {
      ran.push(index)
      return x.alias()
    })
    assert.deepStrictEqual(ran, [0, 1])
    assert.isFalse(embeddings.released)
  })
})

describe("mergeEmbeddings", () => {
  const ids = () => tensor(backend, [1, 159, 159, 2, 159, 3], [2, 3], "i32")
  const rows = imageTokenRows(Int32Array.of(1, 159, 159, 2, 159, 3), 159)
  const visual = (first: number, count: number) =>
    tensor(
      backend,
      Float32Array.from({ length: count * 64 }, (_, i) => first + Math.floor(i / 64)),
      [count, 64]
    )

  it("puts visual tokens in the places of image tokens, row by row through the batch", async () => {
    assert.deepStrictEqual([...rows], [1, 2, 4])
    const merged = mergeEmbeddings(weights, tinyConfig.llm_config, ids(), [visual(100, 1), visual(200, 2)], rows)
    assert.deepStrictEqual(merged.shape, [2, 3, 64])
    const values = (await merged.read()) as Float32Array
    assert.deepStrictEqual(
      [1, 2, 4].map((row) => values[row * 64]),
      [100, 200, 201]
    )
    const table = (await parameters["language_model.model.embed_tokens.weight"]!.read()) as Float32Array
    for (const [row, id] of [
      [0, 1],
      [3, 2],
      [5, 3]
    ] as const) {
      assert.deepStrictEqual(values.slice(row * 64, (row + 1) * 64), table.slice(id * 64, (id + 1) * 64))
    }
  })

  it.each([
    ["too few", 2],
    ["too many", 4],
    ["no", 0]
  ])("refuses %s visual tokens", (_, count) => {
    const merge = () =>
      mergeEmbeddings(weights, tinyConfig.llm_config, ids(), count === 0 ? [] : [visual(0, count)], rows)
    assert.throws(merge, ImageTokenMismatch, `the text has 3 image tokens, but the pictures give ${count}`)
  })
})

describe("Weights", () => {
  it("come from the first record that has them", () => {
    const [a, b] = [tensor(backend, [1], [1]), tensor(backend, [2], [1])]
    const own = weightsFrom({ x: a }, { x: b, y: b })
    assert.strictEqual(own.get("x"), a)
    assert.strictEqual(own.get("y"), b)
    assert.isUndefined(own.find("z"))
    assert.throws(() => own.get("z"), WeightMissing, '"z"')
  })

  it("are replaced as they are read", async () => {
    const none = tensor(backend, new Float32Array(64), [64])
    const asked: string[] = []
    const replaced = mapLayers(weights, (layer, weight) => {
      asked.push(layer)
      return layer === "mlp1.3" ? none : weight
    })
    assert.strictEqual(replaced.get("mlp1.1.weight"), parameters["mlp1.1.weight"])
    assert.strictEqual(replaced.get("mlp1.3.weight"), none)
    assert.strictEqual(replaced.get("mlp1.3.bias"), parameters["mlp1.3.bias"])
    assert.throws(() => replaced.get("z"), WeightMissing)
    assert.deepStrictEqual(asked, ["mlp1.1", "mlp1.3"])
  })

  it("show every Linear's input to an observer, each once a forward pass", async () => {
    const seen = new Map<string, number>()
    const observed = {
      ...weights,
      observe: (layer: string, input: { readonly shape: readonly number[] }) => {
        assert.strictEqual(input.shape.at(-1), parameters[`${layer}.weight`]!.shape[1])
        seen.set(layer, (seen.get(layer) ?? 0) + 1)
      }
    }
    const embeddings = singleEmbeddings(backend, tinyConfig, observed)
    decoder(observed, tinyConfig.llm_config, embeddings, {
      ids: tensor(backend, Int32Array.from(single.ids.keys()), [1, single.ids.length], "i32")
    })
    assert.deepStrictEqual(new Set(seen.keys()), new Set(linearLayers(tinyConfig).keys()))
    assert.isTrue([...seen.values()].every((count) => count === 1))
  })

  it("make a Linear with or without a bias", async () => {
    const x = tensor(
      backend,
      Float32Array.from({ length: 64 }, (_, i) => i / 64),
      [1, 64]
    )
    const name = "language_model.model.layers.0.self_attn.o_proj"
    const plain = linear(x, parameters[`${name}.weight`]!)
    assert.deepStrictEqual(await linearLayer(weights, name, x).read(), await plain.read())
  })

  it("give embeddings and logits out of rows that are computed, a few at a time, each row once", async () => {
    const [count, width] = [23, 4]
    const table = tensor(
      backend,
      Float32Array.from({ length: count * width }, (_, i) => Math.sin(i)),
      [count, width]
    )
    const taken: number[] = []
    const take = (index: Tensor) => {
      taken.push(index.size)
      return gatherRows(table, index)
    }
    const byRow = { ...weightsFrom({}), byRows: () => ({ count, take }) }
    const ids = tensor(backend, [3, 22, 3, 0, 7, 1], [2, 3], "i32")
    const embedded = embedTokens(byRow, tinyConfig.llm_config, ids)
    assert.deepStrictEqual(embedded.shape, [2, 3, width])
    assert.deepStrictEqual(await embedded.read(), await gatherRows(table, ids).read())
    assert.deepStrictEqual(taken.splice(0), [6])
    const x = tensor(backend, [0.5, -1, 2, 0.25, 1, 1, -3, 0], [2, width])
    const expected = await linear(x, table).read()
    for (const most of [1, 2, 3, 5, 8, 22, 23, 100]) {
      const before = backend.usage().buffers
      const logits = headProduct(byRow, "head", x, most * width)
      assert.deepStrictEqual(await logits.read(), expected, `${most} rows together`)
      logits.release()
      assert.strictEqual(backend.usage().buffers, before)
      assert.isAtMost(Math.max(...taken), Math.max(2, most))
      const all = taken.splice(0).reduce((sum, rows) => sum + rows, 0)
      assert.strictEqual(all, count)
    }
  })

  it("multiply without being made, where they can", async () => {
    const x = tensor(backend, [1, 2, 3, 4], [1, 4])
    const [weight, bias, doubled] = [
      tensor(backend, [1, 0, -1, 0.5, 2, 1, 0, 0], [2, 4]),
      tensor(backend, [10, 20], [2]),
      tensor(backend, [2, 0, -2, 1, 4, 2, 0, 0], [2, 4])
    ]
    const asked: string[] = []
    const product: Weights["linear"] = (name, input, added) => {
      asked.push(name)
      return name.startsWith("codes") ? linear(input, doubled, added) : undefined
    }
    const record = { "codes.weight": weight, "codes.bias": bias, "whole.weight": weight, "whole.bias": bias }
    const codes: Weights = { ...weightsFrom(record), linear: product }
    assert.deepStrictEqual(Array.from(await linearLayer(codes, "codes", x).read()), [10, 28])
    assert.deepStrictEqual(Array.from(await linearLayer(codes, "whole", x).read()), [10, 24])
    assert.deepStrictEqual(Array.from(await headProduct(codes, "codes", x).read()), [0, 8])
    assert.deepStrictEqual(Array.from(await headProduct(codes, "whole", x).read()), [0, 4])
    const replaced = mapLayers(codes, (_, tensor) => tensor)
    assert.deepStrictEqual(Array.from(await linearLayer(replaced, "codes", x).read()), [10, 24])
    assert.deepStrictEqual(asked, ["codes", "whole", "codes", "whole"])
    for (const each of [x, weight, bias, doubled]) each.release()
  })

  it("that are replaced are not taken by rows from those before", async () => {
    const layer = embeddingLayerOf(tinyConfig.llm_config)
    const embedding = parameters[parameterOf(layer)]!
    const zero = tensor(backend, new Float32Array(embedding.size), embedding.shape)
    const byRow = { ...weights, byRows: () => ({ count: columns, take: (i: Tensor) => gatherRows(embedding, i) }) }
    const replaced = mapLayers(byRow, (name, weight) => (name === layer ? zero : weight))
    const row = await embedTokens(replaced, tinyConfig.llm_config, tensor(backend, [5], [1], "i32")).read()
    assert.isTrue(row.every((number) => number === 0))
  })
})
