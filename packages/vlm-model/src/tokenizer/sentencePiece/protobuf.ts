/** The wire format of protocol buffers: just what a SentencePiece model file needs of it. Files are not trusted. */

/** A field: its number, and a whole number or the bytes of something longer. */
interface Field {
  readonly number: number
  readonly value: number | Uint8Array
}

/** Raised for bytes that are no message; what reads the file makes a TokenizerInvalid of it. */
export class MessageMalformed extends Error {}

/** Bytes of a varint: 64 bits, seven to a byte. */
const longestVarint = 10

class Cursor {
  at = 0
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get done(): boolean {
    return this.at >= this.bytes.length
  }

  take(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) {
      throw new MessageMalformed(`${count} bytes announced at ${this.at}, but ${this.bytes.length - this.at} are left`)
    }
    this.at += count
    return this.bytes.subarray(this.at - count, this.at)
  }

  /** A whole number; one of 64 bits with the sign set is a negative number of 32 bits, as `int32` fields store them. */
  varint(): number {
    const start = this.at
    let value = 0
    let low = 0
    for (let i = 0; i < longestVarint; i++) {
      const byte = this.take(1)[0]!
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (i < 5) low |= (byte & 0x7f) << (7 * i)
      if (byte < 0x80) return value >= 2 ** 63 ? low : value
    }
    throw new MessageMalformed(`the number at ${start} has more than ${longestVarint} bytes`)
  }
}

/** The fields of a message, in order. Raises MessageMalformed. */
export const fieldsOf = function* (message: Uint8Array): Generator<Field> {
  const cursor = new Cursor(message)
  while (!cursor.done) {
    const start = cursor.at
    const tag = cursor.varint()
    const [number, wire] = [Math.floor(tag / 8), tag % 8]
    if (number === 0) throw new MessageMalformed(`the field at ${start} has the number 0`)
    if (wire === 0) yield { number, value: cursor.varint() }
    else if (wire === 1) yield { number, value: cursor.take(8) }
    else if (wire === 2) yield { number, value: cursor.take(cursor.varint()) }
    else if (wire === 5) yield { number, value: cursor.take(4) }
    else throw new MessageMalformed(`the field at ${start} has the unknown type ${wire}`)
  }
}

/** Writes a number of at least 0. */
const varint = (value: number): readonly number[] =>
  value < 0x80 ? [value] : [(value % 0x80) + 0x80, ...varint(Math.floor(value / 0x80))]

/** A field with a whole number of at least 0, with a float, or with bytes. */
export const field = (number: number, value: number | Uint8Array): Uint8Array =>
  typeof value === "number"
    ? Uint8Array.from([...varint(8 * number), ...varint(value)])
    : Uint8Array.from([...varint(8 * number + 2), ...varint(value.length), ...value])

export const floatField = (number: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(8 * number + 5), ...new Uint8Array(Float32Array.of(value).buffer)])
