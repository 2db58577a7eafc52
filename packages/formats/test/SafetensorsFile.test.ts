import { execFileSync } from "node:child_process"
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync
} from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { FileFailed, ReadRefused, SafetensorsInvalid, TensorMissing } from "../src/Errors.ts"
import { openFileSync } from "../src/safetensors/SafetensorsFile.ts"
import type { TensorStore } from "../src/safetensors/TensorStore.ts"
import { counting, rawFile } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

// Node's type library has no WebAssembly.
declare const WebAssembly: {
  readonly Memory: new (size: {
    initial: number
    maximum: number
    shared: true
  }) => { readonly buffer: SharedArrayBuffer }
}

const directory = temporaryDirectory()
let files = 0
const saved = (bytes: Uint8Array): string => {
  const path = join(directory, `${files++}.safetensors`)
  writeFileSync(path, bytes)
  return path
}
const using = <A>(path: string, use: (store: TensorStore) => A): A => {
  const store = openFileSync(path)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

// 4 x 3 F32, a scalar, an empty tensor, 5 odd bytes; the header is 8-aligned by luck of nothing: any length must do.
const data = counting(4 * 3 * 4 + 2 + 5)
const header = JSON.stringify({
  __metadata__: { format: "pt", note: "é" },
  bytes: { dtype: "U8", shape: [5], data_offsets: [50, 55] },
  matrix: { dtype: "F32", shape: [4, 3], data_offsets: [0, 48] },
  empty: { dtype: "F64", shape: [2, 0], data_offsets: [48, 48] },
  scalar: { dtype: "BF16", shape: [], data_offsets: [48, 50], extra: { ignored: [1.5, null] } }
})
const example = saved(rawFile(header, data))

describe("openFileSync", () => {
  it("gives metadata and tensors in the order of their bytes", () => {
    using(example, (store) => {
      const start = 8 + new TextEncoder().encode(header).length
      assert.deepEqual(store.metadata, { format: "pt", note: "é" })
      assert.deepEqual(
        [...store.tensors],
        [
          ["matrix", { dtype: "F32", shape: [4, 3], byteOffset: start, byteLength: 48 }],
          ["empty", { dtype: "F64", shape: [2, 0], byteOffset: start + 48, byteLength: 0 }],
          ["scalar", { dtype: "BF16", shape: [], byteOffset: start + 48, byteLength: 2 }],
          ["bytes", { dtype: "U8", shape: [5], byteOffset: start + 50, byteLength: 5 }]
        ]
      )
    })
  })

  it("reads whole tensors, rows and bytes", () => {
    using(example, (store) => {
      assert.deepEqual(store.read("matrix"), data.slice(0, 48))
      assert.deepEqual(store.read("matrix", { rows: [1, 3] }), data.slice(12, 36))
      assert.deepEqual(store.read("matrix", { rows: [4, 4] }), new Uint8Array(0))
      assert.deepEqual(store.read("matrix", { bytes: [5, 7] }), data.slice(5, 7))
      assert.deepEqual(store.read("scalar"), data.slice(48, 50))
      assert.deepEqual(store.read("empty", { rows: [0, 2] }), new Uint8Array(0))
      assert.deepEqual(store.read("bytes", { rows: [4, 5] }), data.slice(54, 55))
    })
  })

  it("reads into shared memory and into WebAssembly memory, touching nothing beside", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(64))
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    using(example, (store) => {
      for (const whole of [shared, new Uint8Array(memory.buffer), new Uint8Array(64)]) {
        whole.fill(255)
        store.readInto("matrix", whole.subarray(3, 51))
        assert.deepEqual([...whole.subarray(3, 51)], [...data.subarray(0, 48)])
        store.readInto("matrix", whole.subarray(10, 22), { rows: [2, 3] })
        assert.deepEqual([...whole.subarray(10, 22)], [...data.subarray(24, 36)])
        assert.isTrue([...whole.subarray(0, 3), ...whole.subarray(51, 64)].every((byte) => byte === 255))
      }
    })
  })

  it("reads at offsets past 4 GiB", () => {
    const path = join(directory, "sparse.safetensors")
    const size = 5 * 2 ** 30
    const json = JSON.stringify({ w: { dtype: "F32", shape: [2 ** 20, 1280], data_offsets: [0, size] } })
    const descriptor = openSync(path, "w")
    writeSync(descriptor, rawFile(json))
    ftruncateSync(descriptor, 8 + json.length + size)
    writeSync(descriptor, Uint8Array.of(1, 2, 3, 4), 0, 4, 8 + json.length + size - 4)
    closeSync(descriptor)
    using(path, (store) => {
      assert.deepEqual([...store.read("w", { bytes: [size - 6, size] })], [0, 0, 1, 2, 3, 4])
      assert.deepEqual([...store.read("w", { rows: [2 ** 20 - 1, 2 ** 20] }).subarray(-4)], [1, 2, 3, 4])
    })
  })

  it("names like tensors when one is missing", () => {
    using(example, (store) => {
      assert.throws(() => store.read("matrx"), TensorMissing, /no tensor "matrx"; most similar: "matrix"/)
      assert.throws(() => store.read("__proto__"), TensorMissing)
    })
  })

  it("refuses rows, bytes and targets that do not fit", () => {
    using(example, (store) => {
      const refuses = (read: () => void, reason: string) => assert.throws(read, ReadRefused, reason)
      refuses(() => store.read("matrix", { rows: [2, 5] }), 'tensor "matrix": rows [2, 5) are not within its 4 rows')
      refuses(() => store.read("matrix", { rows: [-1, 2] }), "rows [-1, 2)")
      refuses(() => store.read("matrix", { bytes: [3, 2] }), "bytes [3, 2)")
      refuses(() => store.read("matrix", { bytes: [0, 1.5] }), "bytes [0, 1.5)")
      refuses(() => store.read("matrix", { bytes: [0, Number.NaN] }), "bytes [0, NaN)")
      refuses(() => store.read("scalar", { rows: [0, 1] }), "it is a scalar")
      refuses(() => store.readInto("matrix", new Uint8Array(47)), "the target holds 47 bytes, the range 48")
    })
  })

  it("refuses to read once closed, and closes twice without harm", () => {
    const store = openFileSync(example)
    store.close()
    const other = openFileSync(saved(rawFile("{}", new Uint8Array(0))))
    store.close()
    assert.throws(() => store.read("matrix"), ReadRefused, "the file is closed")
    assert.strictEqual(other.tensors.size, 0)
    other.close()
  })

  it("notices a file that is cut while it is open", () => {
    const path = saved(rawFile(header, data))
    using(path, (store) => {
      truncateSync(path, statSync(path).size - 1)
      assert.throws(() => store.read("bytes"), SafetensorsInvalid, /tensor "bytes": the file ends at/)
      assert.deepEqual(store.read("matrix"), data.slice(0, 48))
    })
  })

  it("fails on what is no readable file, without waiting on a pipe", () => {
    const fails = (path: string, code: string) => {
      assert.throws(() => openFileSync(path), FileFailed, path)
      try {
        openFileSync(path)
      } catch (error) {
        assert.strictEqual((error as FileFailed).code, code)
      }
    }
    fails(join(directory, "absent.safetensors"), "ENOENT")
    mkdirSync(join(directory, "folder.safetensors"))
    fails(join(directory, "folder.safetensors"), "EISDIR")
    execFileSync("mkfifo", [join(directory, "pipe.safetensors")])
    fails(join(directory, "pipe.safetensors"), "EINVAL")
  })
})

describe("hostile and cut files", () => {
  const refuses = (bytes: Uint8Array, reason: string | RegExp, tensor?: string) => {
    const path = saved(bytes)
    try {
      openFileSync(path)
    } catch (error) {
      assert.instanceOf(error, SafetensorsInvalid)
      assert.strictEqual(error.file, path)
      assert.strictEqual(error.tensor, tensor)
      assert.isBelow(error.message.length, 2000)
      assert.isTrue(error.message.startsWith(path))
      return assert.match(
        error.reason,
        reason instanceof RegExp ? reason : new RegExp(reason.replace(/[[\](){}^]/g, "\\$&"))
      )
    }
    assert.fail(`was opened; expected: ${reason}`)
  }
  const entry = (fields: string) => `{"a.b":{${fields}}}`
  const f32 = (shape: string, offsets: string) => entry(`"dtype":"F32","shape":${shape},"data_offsets":${offsets}`)
  const eight = new Uint8Array(8)

  it("refuses a length field that does not fit the file", () => {
    refuses(new Uint8Array(0), "0 bytes are too few")
    refuses(new Uint8Array(7), "7 bytes are too few")
    refuses(rawFile("{}", eight, 11n), "its header ends at 19, the file at 18")
    refuses(rawFile("{}", eight, 100_000_001n), "declares a header of 100000001 bytes, more than the 100000000 allowed")
    refuses(rawFile("{}", eight, 2n ** 64n - 1n), "declares a header of 18446744073709551615 bytes")
    refuses(rawFile("{}", eight, 2n ** 63n), "declares a header of 9223372036854775808 bytes")
    refuses(rawFile("{}", eight, 0n), "does not begin with '{'")
  })

  it("refuses a header that is not JSON in UTF-8", () => {
    refuses(rawFile("PK\u0003\u0004 not a header"), "does not begin with '{'")
    refuses(rawFile(" {}"), "does not begin with '{'")
    refuses(rawFile("\ufeff{}"), "does not begin with '{'")
    refuses(rawFile("[]"), "does not begin with '{'")
    refuses(rawFile(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x30, 0x7d)), "not UTF-8")
    refuses(rawFile(Uint8Array.of(0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x30, 0x7d)), "not UTF-8")
    refuses(rawFile("{"), "expected a string at character 1, found the end")
    refuses(rawFile('{"__metadata__":{}'), "expected ',' or '}'")
    refuses(rawFile("{}\u0000\u0000"), "expected nothing more")
    refuses(rawFile("{}{}"), "expected nothing more")
    refuses(rawFile('{"a":{"x":[[[['.padEnd(1e6, "[")), "nested deeper than 100", "a")
  })

  it("refuses entries of another form, naming the tensor", () => {
    refuses(rawFile('{"a.b":null}'), "expected '{'", "a.b")
    refuses(rawFile('{"a.b":[]}'), "expected '{'", "a.b")
    refuses(rawFile(entry("")), "needs dtype, shape and data_offsets", "a.b")
    refuses(rawFile(entry('"dtype":"F32","shape":[2]'), eight), "needs dtype, shape and data_offsets", "a.b")
    refuses(rawFile(entry('"dtype":4,"shape":[2],"data_offsets":[0,8]'), eight), "expected a string", "a.b")
    refuses(
      rawFile(entry('"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]'), eight),
      /unknown dtype "F8_E4M3", known: BOOL U8/,
      "a.b"
    )
    refuses(rawFile(entry('"dtype":"__proto__","shape":[2],"data_offsets":[0,8]'), eight), "unknown dtype", "a.b")
    refuses(rawFile(f32('"2"', "[0,8]"), eight), "expected '['", "a.b")
    refuses(rawFile(f32("[2]", "[0]"), eight), "data_offsets has 1 numbers, not 2", "a.b")
    refuses(rawFile(f32("[2]", "[0,8,8]"), eight), "data_offsets has 3 numbers, not 2", "a.b")
    refuses(rawFile(f32("[2]", '{"0":0,"1":8}'), eight), "expected '['", "a.b")
  })

  it("refuses numbers that are negative, fractional, inexact or written otherwise", () => {
    for (const wrong of ["-2", "2.5", "2.0", "2e0", "-0", "null", '"2"', "9007199254740993", "1e400"]) {
      refuses(rawFile(f32(`[${wrong}]`, "[0,8]"), eight), "expected a whole number from 0 to 2^53 - 1", "a.b")
      refuses(rawFile(f32("[2]", `[${wrong},8]`), eight), "expected a whole number from 0 to 2^53 - 1", "a.b")
    }
  })

  it("refuses sizes that overflow or do not match", () => {
    refuses(rawFile(f32("[4294967296,4294967296]", "[0,0]")), /takes more than 2\^53 - 1 bytes/, "a.b")
    refuses(rawFile(f32("[4611686018427387904]", "[0,0]")), "expected a whole number", "a.b")
    refuses(rawFile(f32("[2251799813685248]", "[0,0]")), /takes more than 2\^53 - 1 bytes/, "a.b")
    refuses(rawFile(f32("[3]", "[0,8]"), eight), "F32 of shape [3] takes 12 bytes, data_offsets give it 8", "a.b")
    refuses(rawFile(f32("[]", "[0,8]"), eight), "F32 of shape [] takes 4 bytes, data_offsets give it 8", "a.b")
    refuses(rawFile(f32("[2]", "[8,0]"), eight), "its bytes end at 0, before they begin at 8", "a.b")
    refuses(rawFile(f32("[3]", "[0,12]"), eight), "its bytes end at 12, but the file holds 8 after its header", "a.b")
  })

  it("refuses overlaps, holes and bytes that belong to no tensor", () => {
    const two = (a: string, b: string) =>
      `{"a":{"dtype":"U8","shape":[4],"data_offsets":${a}},"b":{"dtype":"U8","shape":[4],"data_offsets":${b}}}`
    refuses(rawFile(two("[0,4]", "[2,6]"), eight), "its bytes from 2 overlap another tensor's, which end at 4", "b")
    refuses(rawFile(two("[0,4]", "[0,4]"), new Uint8Array(4)), "overlap", "b")
    refuses(rawFile(two("[5,9]", "[0,4]"), new Uint8Array(9)), "its bytes begin at 5 and leave a hole after 4", "a")
    refuses(rawFile(two("[1,5]", "[5,9]"), new Uint8Array(9)), "its bytes begin at 1 and leave a hole after 0", "a")
    refuses(rawFile(two("[0,4]", "[4,8]"), new Uint8Array(9)), "the tensors take 8 bytes, the file holds 9")
    refuses(rawFile("{}", eight), "the tensors take 0 bytes, the file holds 8")
  })

  it("refuses duplicate names, fields and metadata, and metadata that is not text", () => {
    const a = '"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}'
    refuses(rawFile(`{${a},${a}}`, new Uint8Array(4)), 'the key "a" appears twice')
    refuses(
      rawFile(`{${a},"\\u0061":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, eight),
      'the key "a" appears twice'
    )
    refuses(rawFile(f32('[1],"shape":[2]', "[0,8]"), eight), 'the key "shape" appears twice', "a.b")
    refuses(rawFile('{"__metadata__":{},"__metadata__":{}}'), 'the key "__metadata__" appears twice')
    refuses(rawFile('{"__metadata__":{"k":"1","k":"2"}}'), 'the key "k" appears twice')
    for (const wrong of ['{"k":1}', '{"k":null}', '{"k":{}}'])
      refuses(rawFile(`{"__metadata__":${wrong}}`), "expected a string")
    for (const wrong of ["null", "[]", '"x"']) refuses(rawFile(`{"__metadata__":${wrong}}`), "expected '{'")
  })

  it("takes __proto__ and other names of objects like any name", () => {
    const names = ["__proto__", "constructor", "toString", "", "a/../b", "\u0000"]
    const entries = names.map(
      (name, i) => `${JSON.stringify(name)}:{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`
    )
    const json = `{"__metadata__":{"__proto__":"p","constructor":"c"},${entries.join(",")}}`
    using(saved(rawFile(json, counting(names.length))), (store) => {
      assert.deepEqual([...store.tensors.keys()], names)
      names.forEach((name, i) => {
        assert.deepEqual([...store.read(name)], [i])
      })
      assert.deepEqual(Object.entries(store.metadata), [
        ["__proto__", "p"],
        ["constructor", "c"]
      ])
      assert.isUndefined(({} as Record<string, unknown>).p)
    })
  })

  it("takes empty tensors wherever the header lists them", () => {
    const entry = (shape: string, offsets: string) => `{"dtype":"U8","shape":${shape},"data_offsets":${offsets}}`
    const json = `{"a":${entry("[4]", "[0,4]")},"b":${entry("[0]", "[4,4]")},"c":${entry("[0]", "[0,0]")}}`
    using(saved(rawFile(json, counting(4))), (store) => {
      assert.deepEqual([...store.tensors.keys()], ["c", "a", "b"])
      assert.deepEqual([...store.read("a")], [0, 1, 2, 3])
    })
    refuses(rawFile(`{"a":${entry("[4]", "[0,4]")},"b":${entry("[0]", "[2,2]")}}`, counting(4)), "overlap", "b")
  })

  it("keeps messages short when names and shapes are not", () => {
    const long = "n".repeat(1e6)
    refuses(rawFile(`{"${long}":{}}`), "needs dtype", long)
    refuses(rawFile(f32(`[${"1,".repeat(900)}1]`, "[0,8]"), eight), /shape \[1, 1.*\.\.\.\] takes 4 bytes/, "a.b")
  })

  it("leaves no file open after a refusal", () => {
    const path = saved(rawFile("{", eight))
    const first = openSync(path, "r")
    closeSync(first)
    for (let i = 0; i < 50; i++) assert.throws(() => openFileSync(path), SafetensorsInvalid)
    const next = openSync(path, "r")
    closeSync(next)
    assert.strictEqual(next, first)
  })
})
