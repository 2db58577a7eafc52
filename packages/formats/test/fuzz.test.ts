/** Damaged and forged files: a typed error or exactly what the bytes say, compared with a second, naive reading of the format. */
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { SafetensorsInvalid } from "../src/Errors.ts"
import { layoutOf } from "../src/internal/header.ts"
import { openFileSync } from "../src/safetensors/SafetensorsFile.ts"
import { arbitraryMetadata, arbitraryTensors } from "./arbitraryTensors.ts"
import { rawFile } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const directory = temporaryDirectory()
let files = 0

interface Naive {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly bytes: Uint8Array
}

const sizes: Record<string, number> = { BOOL: 1, U8: 1, I8: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4 }
Object.assign(sizes, { F64: 8, I64: 8, U64: 8 })
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** The format's rules over JSON.parse: blind to duplicates and to how numbers are written, otherwise exact. Undefined where it refuses. */
const readNaively = (file: Uint8Array): ReadonlyMap<string, Naive> | undefined => {
  if (file.length < 8) return undefined
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true)
  if (length > BigInt(file.length - 8)) return undefined
  const data = file.subarray(8 + Number(length))
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + Number(length))))
  } catch {
    return undefined
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) return undefined
  const found: Array<{ name: string; begin: number; end: number; naive: Naive }> = []
  for (const [name, value] of Object.entries(header) as Array<[string, unknown]>) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
    if (name === "__metadata__") {
      if (!Object.values(value).every((text) => typeof text === "string")) return undefined
      continue
    }
    const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>
    if (typeof dtype !== "string" || !Object.hasOwn(sizes, dtype)) return undefined
    if (!Array.isArray(shape) || !shape.every(isCount)) return undefined
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) return undefined
    const [begin, end] = offsets as [number, number]
    const bytes = shape.reduce((product, size) => product * BigInt(size), BigInt(sizes[dtype]!))
    if (BigInt(end) - BigInt(begin) !== bytes) return undefined
    found.push({ name, begin, end, naive: { dtype, shape, bytes: data.subarray(begin, end) } })
  }
  found.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { begin, end } of found) {
    if (begin !== covered) return undefined
    covered = end
  }
  return covered === data.length ? new Map(found.map(({ name, naive }) => [name, naive])) : undefined
}

// What this reader refuses and JSON.parse cannot see or the format does not say: each a choice of the careful side.
const stricter =
  /expected a whole number|does not begin with '\{'|invalid escape|nested deeper|more than 2\^53|more than 1000/

/** Whether the text spells more keys than JSON.parse kept. */
const hasDuplicates = (file: Uint8Array): boolean => {
  const keys = (text: string) => text.match(/"\s*:/g)?.length ?? 0
  const text = Buffer.from(file.buffer, file.byteOffset + 8, Number(file[0]) + 256 * Number(file[1])).toString()
  return keys(text) > keys(JSON.stringify(JSON.parse(text)))
}

const counts = { opened: 0, refused: 0 }

/** Opens the file and checks the outcome against the naive reading. */
const check = (file: Uint8Array): void => {
  // A new name each time: some file systems flush when a file is overwritten.
  const path = join(directory, `${files++}.safetensors`)
  writeFileSync(path, file)
  try {
    checkFile(path, file)
  } finally {
    rmSync(path)
  }
}

const checkFile = (path: string, file: Uint8Array): void => {
  const naive = readNaively(file)
  let store: ReturnType<typeof openFileSync>
  try {
    store = openFileSync(path)
  } catch (error) {
    assert.instanceOf(error, SafetensorsInvalid, String(error))
    assert.strictEqual(error.file, path)
    if (naive !== undefined && !hasDuplicates(file)) assert.match(error.reason, stricter)
    counts.refused++
    return
  }
  counts.opened++
  assert.isDefined(naive, "opened what the format forbids")
  assert.strictEqual(store.tensors.size, naive!.size)
  for (const [name, { dtype, shape }] of store.tensors) {
    const expected = naive!.get(name)!
    assert.deepEqual({ dtype, shape }, { dtype: expected.dtype as typeof dtype, shape: expected.shape })
    assert.deepEqual(Buffer.from(store.read(name)), Buffer.from(expected.bytes))
  }
  store.close()
}

/** Runs a fuzzer and asks that it met both outcomes often enough to mean something. */
const fuzz = (files: fc.Arbitrary<Uint8Array>, numRuns: number, atLeast: { opened: number; refused: number }) => {
  counts.opened = 0
  counts.refused = 0
  fc.assert(fc.property(files, check), { seed: 20, numRuns })
  assert.isAtLeast(counts.opened, atLeast.opened)
  assert.isAtLeast(counts.refused, atLeast.refused)
}

const valid: fc.Arbitrary<Uint8Array> = fc.tuple(arbitraryTensors, arbitraryMetadata).map(([tensors, metadata]) => {
  const { prefix, placed } = layoutOf(tensors, metadata, "valid")
  return Buffer.concat([prefix, ...placed.map(({ tensor }) => tensor.bytes)])
})

describe("fuzzing", () => {
  it("opens every valid file", () => {
    fuzz(valid, 300, { opened: 300, refused: 0 })
  })

  it("survives random bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 200 })
    const headers = fc.string({ unit: fc.constantFrom(...'{}[]:,"0123456789.-eE\\ua dtypeshapU8_of'), maxLength: 100 })
    fuzz(
      fc.oneof(
        bytes,
        headers.map((text) => rawFile(`{${text}`))
      ),
      1000,
      { opened: 0, refused: 900 }
    )
  })

  it("survives flipped, removed, inserted and cut bytes", () => {
    const edit = fc.record({
      kind: fc.constantFrom("flip", "flip", "set", "remove", "insert", "cut", "double"),
      // Most edits go to the header, where they hurt.
      at: fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(100_000) }),
      value: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:019-.e\\ '))),
      count: fc.integer({ min: 1, max: 12 })
    })
    const damaged = fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([file, edits]) => {
      let bytes = Buffer.from(file)
      for (const { kind, at, value, count } of edits) {
        const i = at % (bytes.length + 1)
        const [before, after] = [bytes.subarray(0, i), bytes.subarray(i)]
        if (kind === "flip" && i < bytes.length) bytes[i]! ^= 1 << (value % 8)
        else if (kind === "set" && i < bytes.length) bytes[i] = value
        else if (kind === "remove") bytes = Buffer.concat([before, after.subarray(count)])
        else if (kind === "insert") bytes = Buffer.concat([before, Buffer.alloc(count, value), after])
        else if (kind === "cut") bytes = Buffer.from(before)
        else if (kind === "double") bytes = Buffer.concat([before, after.subarray(0, count), after])
      }
      return bytes
    })
    fuzz(damaged, 4000, { opened: 100, refused: 2000 })
  })

  it("survives forged headers", () => {
    // Each piece of the header is right, or wrong in a way somebody might try.
    const number = fc.oneof(
      { weight: 12, arbitrary: fc.nat(16).map(String) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          "-1",
          "0.5",
          "2.0",
          "1e1",
          "-0",
          "4294967296",
          "9007199254740991",
          "9007199254740992"
        )
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom("18446744073709551615", "1e309", "null", "true", '"4"', "[4]", "{}", "00", "")
      }
    )
    const dtype = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...Object.keys(sizes).map((name) => `"${name}"`)) },
      {
        weight: 1,
        arbitrary: fc.constantFrom('"F8_E5M2"', '"f32"', '"__proto__"', "4", "null", '"F32', '"\\u00463\\u0032"')
      }
    )
    const shape = fc.oneof(
      { weight: 9, arbitrary: fc.array(number, { maxLength: 3 }).map((dims) => `[${dims.join(",")}]`) },
      { weight: 1, arbitrary: fc.constantFrom("[2,]", "{}", "null", '"[2]"', "[[2]]", `[${"4294967296,".repeat(9)}0]`) }
    )
    const key = fc.constantFrom('"a"', '"b"', '"c"', '"\\u0061"', '"__proto__"', '"__metadata__"', '"\\ud800"', '""')
    const entry = fc.record({
      key,
      dtype,
      shape,
      shift: fc.oneof(
        { weight: 9, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -8, max: 8 }) }
      ),
      form: fc.oneof(
        { weight: 15, arbitrary: fc.constant("whole") },
        fc.constantFrom("open", "extra", "double", "twice", "less")
      ),
      offset: fc.oneof({ weight: 15, arbitrary: fc.constant("") }, { weight: 1, arbitrary: number })
    })
    const forged = fc
      .record({
        entries: fc.array(entry, { minLength: 1, maxLength: 4 }),
        metadata: fc.oneof(
          { weight: 5, arbitrary: fc.constant("") },
          fc.constantFrom(
            '{"a":"b"}',
            '{"__proto__":"b"}',
            '{"a":1}',
            '{"a":"b","a":"c"}',
            "null",
            "[]",
            '{"a":"\\udfff"}'
          )
        ),
        end: fc.oneof({ weight: 9, arbitrary: fc.constant("") }, fc.constantFrom("  ", "\n", "x", "}", "\u0000", ",")),
        spare: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: -4, max: 9 }))
      })
      .map(({ entries, metadata, end, spare }) => {
        let begin = 0
        const fields = entries.map(({ key, dtype, shape, shift, form, offset }) => {
          let bytes = 0
          try {
            const dims = JSON.parse(shape) as Array<number>
            bytes = dims.reduce((product, size) => product * size, sizes[JSON.parse(dtype) as string] ?? 1)
          } catch {
            bytes = 4
          }
          const last = begin + (bytes >= 0 && bytes < 1e6 ? Math.floor(bytes) : 4)
          const body = `"dtype":${dtype},"shape":${shape},"data_offsets":[${offset === "" ? begin + shift : offset},${last}]`
          begin = last
          if (form === "open") return `${key}:{${body}`
          if (form === "extra") return `${key}:{${body},"more":{"deep":[1.5e3,null,{"a":"b"}]}}`
          if (form === "double") return `${key}:{${body},"shape":${shape}}`
          if (form === "twice") return `${key}:{${body}},${key}:{${body}}`
          if (form === "less") return `${key}:{"dtype":${dtype}}`
          return `${key}:{${body}}`
        })
        if (metadata !== "") fields.unshift(`"__metadata__":${metadata}`)
        const data = Uint8Array.from({ length: Math.max(0, begin + spare) }, (_, i) => i % 256)
        return rawFile(`{${fields.join(",")}}${end}`, data)
      })
    fuzz(forged, 4000, { opened: 400, refused: 1500 })
  })
})
