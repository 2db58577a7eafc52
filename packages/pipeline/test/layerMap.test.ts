/** The map of a model's layers: what several stages know of each, a row a block. */
import { assert, describe, it } from "vitest"
import { layerMaps } from "../src/report/layerMap.ts"

describe("layerMaps", () => {
  it("tell the error of a whole block once, and the bits of its layers", () => {
    const [map, ...others] = layerMaps([
      {
        stage: "01-rounding",
        errors: "of a block's output",
        layers: [
          { layer: "tower.layers.0.fc1", quantizer: "bilevel", bits: 2.5 },
          { layer: "tower.layers.0", errorBefore: 4, errorAfter: 1 },
          { layer: "tower.layers.10.fc1", quantizer: "bilevel", bits: 4.5 },
          { layer: "tower.layers.2.fc1", quantizer: "bilevel", bits: 2.5 },
          { layer: "tower.head", bits: 4 }
        ]
      }
    ])
    assert.isEmpty(others)
    assert.strictEqual(map?.title, "Layers of tower.layers")
    assert.deepStrictEqual([map?.rows, map?.columns, map?.scale], [["0", "2", "10"], ["whole block", "fc1"], "ratio"])
    assert.deepStrictEqual(
      map?.cells.map(({ row, column, value, text }) => [row, column, value, text]),
      [
        [0, 1, undefined, "2.5"],
        [0, 0, 0.25, "0.25"],
        [2, 1, undefined, "4.5"],
        [1, 1, undefined, "2.5"]
      ]
    )
    assert.match(map?.note ?? "", /^Coloured: .* 01-rounding: of a block's output\. The other number: bits of a weight/)
  })

  it("put what several stages know of one layer into its cell, the last that knows it first", () => {
    const [map] = layerMaps([
      {
        stage: "01-clip",
        errors: "of an output",
        layers: [{ layer: "m.0.q", bits: 4, errorBefore: 2, errorAfter: 1 }]
      },
      { stage: "02-train", layers: [{ layer: "m.0.q", quantizer: "flat", bits: 3 }] }
    ])
    const [cell] = map?.cells ?? []
    assert.deepStrictEqual([cell?.value, cell?.text], [0.5, "0.50 · 3"])
    assert.strictEqual(cell?.detail, "m.0.q\n01-clip: 4 bits, error 2 before, 1 after\n02-train: flat, 3 bits")
  })

  it("have their columns in the order of the stage that tells of most layers", () => {
    const [map] = layerMaps([
      { stage: "01-clip", layers: [{ layer: "m.0.v", bits: 2 }] },
      { stage: "02-train", layers: ["q", "k", "v"].map((part) => ({ layer: `m.0.${part}`, bits: 2 })) }
    ])
    assert.deepStrictEqual(map?.columns, ["q", "k", "v"])
  })

  it("are coloured by bits where no stage tells errors", () => {
    const [map] = layerMaps([{ stage: "01-qat", layers: [{ layer: "m.0.q", bits: 4 }] }])
    assert.deepStrictEqual(
      [map?.scale, map?.cells[0]?.value, map?.note],
      [...["amount", 4], "The bits of a weight, scales and zero points included."]
    )
  })
})
