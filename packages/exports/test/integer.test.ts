/** Codes in the layouts of GPTQ, AWQ and compressed-tensors, read again as those formats are defined. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { decodeFloats, parameterOf, Safetensors, type TensorStore } from "@speedq/formats"
import { bilevel, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import { linearLayers, storedNames } from "@speedq/vlm-model"
import { afterAll, assert, describe, it } from "vitest"
import { type DeployedModel, releaseParameters, tensorsName } from "../src/index.ts"
import { compactNames, patternOf } from "../src/integer/moduleNames.ts"
import { wordsOf } from "../src/integer/words.ts"
import { deploy, exportTo, openSource, temporary } from "./support/models.ts"

const { directory: root, remove } = temporary("integer")
const backend = await openBackend("native:none")
afterAll(async () => {
  assert.strictEqual(backend.usage().buffers, 0)
  await backend.close()
  remove()
})

const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const fourBits = uniform({ bits: 4, group: 32 })
const threeBits = uniform({ bits: 3, group: 32 })

type Choose = (layer: string) => QuantizerChoice | undefined

/** Exports nano, its Linears rounded as `choose` says, and gives what a reader of the format needs. */
const exported = async (
  format: string,
  name: string,
  choose: Choose,
  read: (deployed: DeployedModel, store: TensorStore) => Promise<void>
) => {
  const source = await openSource(backend)
  const chosen = [...linearLayers(source.directory.config).keys()].flatMap((layer) => {
    const choice = choose(layer)
    return choice === undefined ? [] : [[layer, choice] as const]
  })
  const deployed = await deploy(source, new Map(chosen), "bf16")
  const out = join(root, name)
  try {
    const exported = await exportTo(out, format, source, deployed, { dtype: "f32" })
    const store = Safetensors.openSync(join(out, tensorsName))
    await read(deployed, store)
    store.close()
    return { exported, config: JSON.parse(readFileSync(join(out, "config.json"), "utf8")), out }
  } finally {
    deployed.release()
    releaseParameters(source.weights)
  }
}

/** Code i of a little-endian bit stream. */
const codeAt = (words: Uint32Array, bits: number, i: number): number => {
  const [word, shift] = [Math.floor((i * bits) / 32), (i * bits) % 32]
  const pair = BigInt(words[word]!) | (BigInt(words[word + 1] ?? 0) << 32n)
  return Number((pair >> BigInt(shift)) & BigInt(2 ** bits - 1))
}

interface Read {
  readonly code: (row: number, column: number) => number
  readonly zero: (row: number, group: number) => number
  readonly scale: (row: number, group: number) => number
}

const wordsIn = (store: TensorStore, name: string): Uint32Array => {
  const bytes = store.read(name).slice()
  return new Uint32Array(bytes.buffer)
}
const halves = (store: TensorStore, name: string) => decodeFloats("F16", store.read(name))

/** Word `at` of column `column` in a matrix of words [., columns]. */
const columnOf = (words: Uint32Array, columns: number, column: number): Uint32Array =>
  words.filter((_, i) => i % columns === column)

const readers: { readonly [format: string]: (store: TensorStore, module: string, bits: number, rows: number) => Read } =
  {
    gptq: (store, module, bits, rows) => {
      const [codes, zeros, scales] = [
        wordsIn(store, `${module}.qweight`),
        wordsIn(store, `${module}.qzeros`),
        halves(store, `${module}.scales`)
      ]
      const width = (rows * bits) / 32
      return {
        code: (row, column) => codeAt(columnOf(codes, rows, row), bits, column),
        zero: (row, group) => codeAt(zeros.subarray(group * width, (group + 1) * width), bits, row),
        scale: (row, group) => scales[group * rows + row]!
      }
    },
    awq: (store, module, bits, rows) => {
      const [codes, zeros, scales] = [
        wordsIn(store, `${module}.qweight`),
        wordsIn(store, `${module}.qzeros`),
        halves(store, `${module}.scales`)
      ]
      // Where the output of each place in eight stands in its word.
      const place = [0, 4, 1, 5, 2, 6, 3, 7]
      const at = (words: Uint32Array, line: number, row: number) =>
        (words[(line * rows) / 8 + Math.floor(row / 8)]! >>> (bits * place[row % 8]!)) & 15
      return {
        code: (row, column) => at(codes, column, row),
        zero: (row, group) => at(zeros, group, row),
        scale: (row, group) => scales[group * rows + row]!
      }
    },
    "compressed-tensors": (store, module, bits, rows) => {
      const [codes, zeros, scales] = [
        wordsIn(store, `${module}.weight_packed`),
        wordsIn(store, `${module}.weight_zero_point`),
        halves(store, `${module}.weight_scale`)
      ]
      const groups = scales.length / rows
      const width = codes.length / rows
      const signed = (code: number) => code - 2 ** (bits - 1)
      return {
        code: (row, column) => signed(codeAt(codes.subarray(row * width, (row + 1) * width), bits, column)),
        zero: (row, group) => signed(codeAt(columnOf(zeros, groups, group), bits, row)),
        scale: (row, group) => scales[row * groups + group]!
      }
    }
  }

/** Modules of transformers that a layer's rows belong to. */
const modulesOf = (layer: string): readonly string[] =>
  storedNames([parameterOf(layer)], "huggingface")
    .get(parameterOf(layer))!
    .map((name) => name.replace(/\.weight$/, ""))

/** Compares every 97th number of every module with the weight that was exported: scales in f16 are all that differs. */
const comparing =
  (format: string, layers: (name: string) => boolean) => async (deployed: DeployedModel, store: TensorStore) => {
    let compared = 0
    for (const [layer, weight] of deployed.packed) {
      if (!layers(layer)) continue
      const { bits, group } = weight.affine!
      const modules = modulesOf(layer)
      const [rows, columns] = weight.shape as readonly [number, number]
      const unpacked = weight.unpack()
      const numbers = await unpacked.read()
      unpacked.release()
      for (const [part, module] of modules.entries()) {
        const own = rows / modules.length
        const { code, zero, scale } = readers[format]!(store, module, bits, own)
        for (let i = part; i < own * columns; i += 97) {
          const [row, column] = [Math.floor(i / columns), i % columns]
          const of = Math.floor(column / group)
          const expected = numbers[(part * own + row) * columns + column]!
          const found = scale(row, of) * (code(row, column) - zero(row, of))
          assert.closeTo(found, expected, 2 ** -11 * Math.abs(expected) + 2 ** -22, `${module} [${row}, ${column}]`)
          compared++
        }
      }
    }
    assert.isAbove(compared, 1000)
  }

/** Names of modules as a runtime calls them, whichever it is. */
const spellings = (module: string) => [module, `model.${module.replace("language_model.model.", "language_model.")}`]

describe("words of 32 bits", () => {
  it("have the first code in the lowest bits, and codes of 3 bits across them", () => {
    const codes = Uint8Array.from({ length: 32 }, (_, i) => i % 8)
    const words = wordsOf(codes, 3)
    assert.lengthOf(words, 3)
    assert.deepStrictEqual(
      Array.from(codes, (_, i) => codeAt(words, 3, i)),
      [...codes]
    )
    assert.deepStrictEqual([...wordsOf(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 4)], [0x87654321])
  })
})

describe("names in a quantization's settings", () => {
  it("are found in every spelling, and name no other module", () => {
    const pattern = new RegExp(`^(?:${patternOf("layers.1.mlp.up_proj")})`)
    for (const name of spellings("language_model.model.layers.1.mlp.up_proj")) assert.match(name, pattern)
    for (const name of spellings("language_model.model.layers.11.mlp.up_proj")) assert.notMatch(name, pattern)
    assert.notMatch("model.language_model.layers.1.mlp.up_proj_2", pattern)
    assert.match("model.vision_tower.encoder.layer.0.mlp.fc1", new RegExp(`^(?:${patternOf("vision_tower")})`))
  })

  it("are one of a whole tower where all of its Linears are meant", () => {
    const [a, b, c] = ["vision_tower.a", "vision_tower.b", "language_model.model.layers.0.c"]
    assert.deepStrictEqual(compactNames([a!, b!, c!], [a!, b!, c!, "language_model.model.layers.1.c"]), [
      "vision_tower",
      "layers.0.c"
    ])
  })
})

describe("gptq", () => {
  it("has codes, zero points and scales of every Linear, three settings in one model", async () => {
    const choose: Choose = (layer) =>
      layer.startsWith("vision_model.")
        ? fourBits
        : layer.endsWith("down_proj")
          ? threeBits
          : layer.startsWith("mlp1.")
            ? undefined
            : twoBits
    const {
      exported: certificate,
      config,
      out
    } = await exported(
      "gptq",
      "gptq",
      choose,
      comparing("gptq", () => true)
    )
    assert.deepStrictEqual(certificate.layersFallenBack, [])
    assert.isFalse(certificate.exact)
    assert.isBelow(certificate.relErr, 2 ** -11)
    const { dynamic, ...settings } = config.quantization_config
    assert.deepStrictEqual(settings, {
      quant_method: "gptq",
      bits: 2,
      group_size: 16,
      desc_act: false,
      sym: false,
      lm_head: false,
      checkpoint_format: "gptq_v2",
      pack_dtype: "int32"
    })
    assert.deepStrictEqual(dynamic["-:.*multi_modal_projector\\..*"], {})
    assert.deepStrictEqual(dynamic["+:.*layers\\.1\\.mlp\\.down_proj$"], { bits: 3, group_size: 32 })
    assert.deepStrictEqual(dynamic["+:.*vision_tower\\.encoder\\.layer\\.0\\.attention\\.q_proj$"], {
      bits: 4,
      group_size: 32
    })
    assert.deepStrictEqual(
      JSON.parse(readFileSync(join(out, "quantize_config.json"), "utf8")),
      config.quantization_config
    )
  })
})

describe("compressed-tensors", () => {
  it("has signed codes, zero points and scales, a group of settings for each kind, and 3 bits as numbers", async () => {
    const choose: Choose = (layer) =>
      layer.startsWith("vision_model.") ? fourBits : layer.endsWith("down_proj") ? threeBits : twoBits
    const kept = (layer: string) => !layer.endsWith("down_proj")
    const { exported: certificate, config } = await exported(
      "compressed-tensors",
      "ct",
      choose,
      comparing("compressed-tensors", kept)
    )
    assert.isTrue(
      certificate.layersFallenBack.length > 0 && certificate.layersFallenBack.every((layer) => !kept(layer))
    )
    const { config_groups, ignore, format } = config.quantization_config
    assert.strictEqual(format, "pack-quantized")
    const groups: readonly {
      readonly targets: readonly string[]
      readonly weights: { readonly num_bits: number; readonly group_size: number }
    }[] = Object.values(config_groups)
    assert.deepStrictEqual(
      groups.map(({ weights: { num_bits, group_size } }) => [num_bits, group_size]),
      [
        [2, 16],
        [4, 32]
      ]
    )
    assert.deepStrictEqual(groups[1]!.targets, ["re:.*vision_tower\\..*"])
    assert.include(ignore, "re:.*lm_head$")
    assert.include(ignore, "re:.*layers\\.0\\.mlp\\.down_proj$")
  })
})

describe("awq", () => {
  it("has 4-bit codes in its order, and writes as numbers what it cannot hold", async () => {
    const choose: Choose = (layer) => (layer.startsWith("vision_model.") ? twoBits : fourBits)
    const kept = (layer: string) => !layer.startsWith("vision_model.")
    const { exported: certificate, config } = await exported("awq", "awq", choose, comparing("awq", kept))
    assert.isTrue(certificate.layersFallenBack.every((layer) => layer.startsWith("vision_model.")))
    assert.deepStrictEqual(config.quantization_config, {
      quant_method: "awq",
      bits: 4,
      group_size: 32,
      zero_point: true,
      version: "gemm",
      modules_to_not_convert: ["vision_tower", "lm_head"]
    })
  })

  it("is refused where it would hold no code", async () => {
    const error = await exported(
      "awq",
      "none",
      () => twoBits,
      async () => {}
    ).then(
      () => assert.fail("it was written"),
      (failed: Error) => failed
    )
    assert.include(error.message, "no layer is quantized in a way that awq can hold; choose hf")
  })
})
