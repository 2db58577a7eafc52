/** Files of torch.save are read as tensors and plain values; whatever else they hold is refused, and nothing is executed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Safetensors, typedView } from "@speedq/formats"
import { afterAll, assert, describe, it } from "vitest"
import { openTorchFile } from "../src/torch/TorchFile.ts"
import { TorchFileInvalid } from "../src/torch/TorchFileInvalid.ts"
import { PickleRefused, unpickle } from "../src/torch/unpickle.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-torch-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const fixture = (name: string) => fileURLToPath(new URL(`fixtures/reference/${name}`, import.meta.url))

const refusal = (path: string): string => {
  try {
    openTorchFile(path).close()
  } catch (error) {
    assert.instanceOf(error, TorchFileInvalid)
    assert.include(error.message, path)
    return error.message
  }
  return assert.fail(`${path} was read`)
}

describe("openTorchFile", () => {
  it("reads the tensors of a state dict, whatever their type and order", () => {
    const file = openTorchFile(fixture("state_dict.pt"))
    const expected = Safetensors.openSync(fixture("state_dict.safetensors"))
    assert.deepStrictEqual([...file.tensors.keys()].sort(), [...expected.tensors.keys()].sort())
    const dtypes: { [name: string]: string } = {}
    for (const [name, tensor] of file.tensors) {
      dtypes[name] = tensor.dtype
      assert.deepStrictEqual([...tensor.shape], [...expected.tensors.get(name)!.shape], name)
      assert.deepStrictEqual(
        Float32Array.from(tensor.read()),
        Float32Array.from(typedView("F32", expected.read(name))),
        name
      )
    }
    assert.deepStrictEqual(dtypes, {
      weight: "f32",
      bias: "f32",
      transposed: "f32",
      parameter: "f64",
      long: "i64",
      flag: "bool"
    })
    file.close()
    expected.close()
  })

  it("reads plain values beside tensors", () => {
    const file = openTorchFile(fixture("quant_details/embed_tokens/embed_tokens"))
    assert.deepStrictEqual([...file.values], [["sublayer_name", "embed_tokens"]])
    assert.strictEqual(file.tensors.get("weight")!.dtype, "f16")
    file.close()
  })

  it("executes nothing and refuses everything else", () => {
    assert.match(refusal(fixture("calls.pt")), /wants to call posix\.system; .* nothing is executed/)
    assert.isFalse(existsSync("executed"))
    assert.match(refusal(fixture("object.pt")), /wants to call \w+\.ValueError/)
    assert.match(refusal(fixture("list.pt")), /does not hold a dictionary/)
    assert.match(refusal(fixture("compressed.pt")), /is compressed/)
    assert.match(refusal(fixture("legacy.pt")), /since PyTorch 1\.6/)
  })

  it("refuses a damaged file, wherever the damage is", () => {
    const whole = readFileSync(fixture("state_dict.pt"))
    const path = join(root, "damaged.pt")
    for (let cut = 0; cut < whole.length; cut += 37) {
      writeFileSync(path, whole.subarray(0, cut))
      refusal(path)
    }
    let refused = 0
    for (let at = 0; at < whole.length; at += 3) {
      const flipped = Buffer.from(whole)
      flipped[at]! ^= 0x11
      writeFileSync(path, flipped)
      try {
        const file = openTorchFile(path)
        for (const tensor of file.tensors.values()) tensor.read()
        file.close()
      } catch (error) {
        assert.instanceOf(error, TorchFileInvalid, `byte ${at}: ${error}`)
        refused++
      }
    }
    // Padding, dates and comments may change without harm.
    assert.isAbove(refused, whole.length / 12)
  })
})

describe("unpickle", () => {
  const bytes = (...parts: ReadonlyArray<number | string>) =>
    Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part))))

  it("reads numbers, texts, lists and dictionaries", () => {
    const pickle = bytes(
      0x80,
      2,
      "}",
      "(",
      "X",
      1,
      0,
      0,
      0,
      "a",
      "]",
      "(",
      "K",
      7,
      "J",
      255,
      255,
      255,
      255,
      0x8a,
      1,
      0xfe,
      "e",
      "X",
      1,
      0,
      0,
      0,
      "b",
      "G",
      0x3f,
      0xf8,
      0,
      0,
      0,
      0,
      0,
      0,
      "X",
      1,
      0,
      0,
      0,
      "c",
      "K",
      1,
      "K",
      2,
      0x86,
      "u",
      "."
    )
    assert.deepStrictEqual(
      unpickle(pickle),
      new Map<string, unknown>([
        ["a", [7, -1, -2]],
        ["b", 1.5],
        ["c", [1, 2]]
      ]) as never
    )
  })

  it("refuses what would never end, and what is cut", () => {
    // A list in a list in a list, each twice: 2^40 values in a few bytes.
    const doubling = Array.from({ length: 40 }, (_, i) => ["]", "q", i + 1, "(", "h", i, "h", i, "e"]).flat()
    assert.throws(() => unpickle(bytes(0x80, 2, "]", "q", 0, ...doubling, ".")), PickleRefused, /more than/)
    assert.throws(() => unpickle(bytes(0x80, 2, "]", "q", 0, "h", 0, "a", ".")), PickleRefused, /something other than/)
    assert.throws(() => unpickle(bytes(0x80, 2, "]")), PickleRefused, /cut/)
    assert.throws(() => unpickle(bytes(0x80, 2, "R", ".")), PickleRefused, /nothing is there/)
    assert.throws(() => unpickle(bytes(0x80, 2, "(", "i", "os\nsystem\n", ".")), PickleRefused, /opcode 105/)
    assert.throws(() => unpickle(bytes(0x80, 9)), PickleRefused, /protocol 9/)
  })
})
