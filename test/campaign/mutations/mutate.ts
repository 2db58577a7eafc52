/** Changes of files as disks, editors, other programs and enemies make them. */
import type { Random } from "../Random.ts"

/** Numbers at which readers go wrong, as two's complement of eight bytes. */
const numbers = [0n, 1n, 0x7fn, 0x80n, 0xffffn, 0x7fffffffn, 0xffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn]

const splice = (bytes: Uint8Array, at: number, removed: number, inserted: Uint8Array): Uint8Array =>
  Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)])

/** One change of bytes; `words` are what means something in this kind of file. */
const changeBytes = (bytes: Uint8Array, random: Random, words: readonly Uint8Array[]): Uint8Array => {
  if (bytes.length === 0) return Uint8Array.of(random.below(256))
  const at = random.below(bytes.length)
  const length = 1 + random.below(Math.min(64, bytes.length - at))
  switch (random.below(9)) {
    case 0:
      return splice(bytes, at, 1, Uint8Array.of(bytes[at]! ^ (1 << random.below(8))))
    case 1:
      return splice(bytes, at, 1, Uint8Array.of(random.below(256)))
    case 2:
      return bytes.subarray(0, at)
    case 3:
      return splice(bytes, at, length, new Uint8Array(0))
    case 4:
      return splice(bytes, at, 0, bytes.subarray(at, at + length))
    case 5: {
      const from = random.below(bytes.length)
      return splice(bytes, at, length, bytes.subarray(from, from + length))
    }
    case 6: {
      const number = Buffer.alloc(8)
      number.writeBigUInt64LE(random.of(numbers))
      const width = random.of([1, 2, 4, 8])
      return splice(
        bytes,
        at,
        width,
        random.chance(0.7) ? number.subarray(0, width) : number.reverse().subarray(8 - width)
      )
    }
    default: {
      if (words.length === 0) return splice(bytes, at, length, new Uint8Array(length))
      const word = random.of(words)
      return splice(bytes, at, random.chance(0.5) ? word.length : 0, word)
    }
  }
}

/** A few changes of bytes, mostly one. */
export const mutateBytes = (bytes: Uint8Array, random: Random, words: readonly Uint8Array[]): Uint8Array => {
  let changed = bytes
  for (let left = 1 + Math.floor(6 * random.uniform() ** 3); left > 0; left--)
    changed = changeBytes(changed, random, words)
  return changed
}

/** Values that stand where others were expected. */
const strange: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 1, 1.5, 1e308, -1e308, 2 ** 31, 2 ** 32, 2 ** 53, 1e21],
  ...["", "x", "__proto__", "constructor", "../../x", "/etc/passwd", "\u0000", "\u001b[31m", "\ud800", "NaN"],
  ...["9".repeat(400), "1e999", "**", "/(a+)+$/", "a".repeat(5000)],
  ...[[], {}, [[]], { a: 1 }]
]
const strangeNames = ["__proto__", "constructor", "toString", "hasOwnProperty", "length", "x", "0", ""]

type Place = { readonly holder: Record<string, unknown>; readonly name: string }

/** Every place in a JSON value that can hold another one. */
const placesIn = (value: unknown, places: Place[] = []): readonly Place[] => {
  if (typeof value !== "object" || value === null) return places
  const holder = value as Record<string, unknown>
  for (const name of Object.keys(holder)) {
    places.push({ holder, name })
    placesIn(holder[name], places)
  }
  return places
}

/** Sets a field, whatever its name is. */
const set = (holder: object, name: string, value: unknown): void => {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true })
}

const changeJson = ({ holder, name }: Place, random: Random): void => {
  const before = holder[name]
  switch (random.below(8)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(name), 1)
      else delete holder[name]
      return
    case 1:
      if (Array.isArray(holder)) holder.push(structuredClone(before))
      else set(holder, random.of(strangeNames), random.of(strange))
      return
    case 2:
      if (typeof before === "number") holder[name] = before * random.of([10, 1e3, 1e6, 1e9, 1e12, -1, 0.5])
      else holder[name] = [before]
      return
    case 3:
      if (typeof before === "string" && before.length > 0) {
        const at = random.below(before.length)
        holder[name] = before.slice(0, at) + String.fromCharCode(random.below(0x10000)) + before.slice(at)
        return
      }
      break
    default:
  }
  holder[name] = structuredClone(random.of(strange))
}

/** A JSON text with a few values changed. */
const mutateJsonText = (text: string, random: Random): string => {
  // Python writes NaN, which JSON does not know.
  const whole: { value: unknown } = { value: JSON.parse(text.replaceAll(/-?\b(NaN|Infinity)\b/g, "null")) }
  for (let left = 1 + random.below(3); left > 0; left--) {
    const places = placesIn(whole)
    if (places.length > 0) changeJson(random.of(places), random)
  }
  return JSON.stringify(whole.value) ?? "null"
}

const mutateJsonLine = (text: string, random: Random): string => {
  const lines = text.split("\n")
  const whole = lines.flatMap((line, at) => (line === "" ? [] : [at]))
  const at = random.of(whole)
  lines[at] = mutateJsonText(lines[at]!, random)
  return lines.join("\n")
}

const bytesOf = (...texts: readonly string[]): readonly Uint8Array[] => texts.map((text) => Buffer.from(text, "latin1"))

/** What means something in JSON. */
const jsonWords = bytesOf(
  ...['"__proto__"', '{"', "[[[[[[[[", "null", "-1", "1e309", "9007199254740993", "\\u0000", "\\ud800", '""', ","],
  ...[
    "true",
    "[18446744073709551615]",
    '{"a":'.repeat(200),
    "[".repeat(3000),
    "\xff\xfe",
    "\xef\xbb\xbf",
    '"U8"',
    '"F64"'
  ],
  '"data_offsets":[0,0]'
)
/** And in tables. */
const tableWords = bytesOf(
  ...["\t", "\n", "\r", "\r\n", '"', '""', "nan", "inf", "1e400", "-", "[", "'", "\\", "['a']", "\xff", "0x", "   "],
  ...["9".repeat(40), "\xef\xbb\xbf", "['\\U00110000']", "1_000", "True", "None", "\0"]
)
/** And in the text of a `--set`. */
const settingWords = bytesOf(
  ...[
    "=",
    ".",
    "[",
    "]",
    "[0]",
    "[100000000]",
    "[-1]",
    "stages",
    "stages[0]",
    "schemes.",
    "seed=",
    "{}",
    "[]",
    '"',
    "{"
  ],
  ...[
    "__proto__",
    "constructor",
    "prototype",
    "..",
    "null",
    "true",
    "1e309",
    "9".repeat(40),
    "[0".repeat(2000),
    "a.".repeat(5000)
  ]
)
/** And in everything else: archives, pickles, pictures. */
const binaryWords = bytesOf(
  ...[
    "PK\x01\x02",
    "PK\x05\x06",
    "cposix\nsystem\n",
    "\x80\x02",
    "R.",
    "(",
    "t",
    "}",
    "\x85",
    "\x94",
    "h\x00",
    "q\x00"
  ],
  ...["\xff\xd8", "IHDR", "acTL", "RIFF", "WEBPVP8X", "GIF89a", "\x21\xf9\x04", "II*\x00", "MM\x00*", "BM", "IDAT"],
  ...["\x28\xb5\x2f\xfd", "<si>", '<!DOCTYPE x [<!ENTITY a "b">]>', "&a;", "</row>"]
)

const isJson = (name: string): boolean => name.endsWith(".json")
const isLines = (name: string): boolean => name.endsWith(".jsonl")

const wordsOf = (name: string): readonly Uint8Array[] => {
  if (isJson(name) || isLines(name)) return jsonWords
  if (/\.(tsv|txt)$/.test(name)) return tableWords
  return name.endsWith(".set") ? settingWords : binaryWords
}

/** A changed file; its name says of which kind it is. */
export const mutateFile = (name: string, bytes: Uint8Array, random: Random): Uint8Array => {
  const asText = () => new TextDecoder().decode(bytes)
  if (isJson(name) && random.chance(0.6)) return Buffer.from(mutateJsonText(asText(), random))
  if (isLines(name) && random.chance(0.6)) return Buffer.from(mutateJsonLine(asText(), random))
  return mutateBytes(bytes, random, wordsOf(name))
}
