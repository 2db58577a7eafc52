/** SHA-256 of bytes that come in pieces (FIPS 180-4); the browser's own wants all of them at once, which a phone may not have room for. */

/** The first 32 bits of the fractions of `root` of the first primes. */
const fractions = (count: number, root: (prime: number) => number): Int32Array => {
  const words: number[] = []
  for (let n = 2; words.length < count; n++) {
    let isPrime = true
    for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) isPrime = false
    if (isPrime) words.push((root(n) % 1) * 2 ** 32)
  }
  // As signed words: engines add those without a detour through doubles.
  return Int32Array.from(words, (word) => word | 0)
}
const rounds = fractions(64, Math.cbrt)
const initial = fractions(8, Math.sqrt)

const blockBytes = 64

export class Sha256 {
  private readonly state = Int32Array.from(initial)
  private readonly schedule = new Int32Array(64)
  private readonly rest = new Uint8Array(blockBytes)
  private restBytes = 0
  private bytes = 0

  update(piece: Uint8Array): void {
    this.bytes += piece.length
    let at = 0
    if (this.restBytes > 0) {
      at = Math.min(piece.length, blockBytes - this.restBytes)
      this.rest.set(piece.subarray(0, at), this.restBytes)
      this.restBytes += at
      if (this.restBytes < blockBytes) return
      this.block(this.rest, 0)
      this.restBytes = 0
    }
    for (; at + blockBytes <= piece.length; at += blockBytes) this.block(piece, at)
    this.rest.set(piece.subarray(at))
    this.restBytes = piece.length - at
  }

  /** The digest in hexadecimal; nothing is added afterwards. */
  hex(): string {
    const bits = 8 * this.bytes
    const padding = new Uint8Array((this.restBytes < 56 ? 56 : 120) - this.restBytes + 8)
    padding[0] = 0x80
    const view = new DataView(padding.buffer)
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(padding.length - 4, bits >>> 0)
    this.update(padding)
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
  }

  private block(bytes: Uint8Array, at: number): void {
    const { schedule: w, state } = this
    for (let t = 0, i = at; t < 16; t++, i += 4) {
      w[t] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!
    }
    for (let t = 16; t < 64; t++) {
      const x = w[t - 15]!
      const y = w[t - 2]!
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0
    }
    // One by one: to take a typed array apart at once asks it for an iterator, which costs more than the block.
    let a = state[0]!
    let b = state[1]!
    let c = state[2]!
    let d = state[3]!
    let e = state[4]!
    let f = state[5]!
    let g = state[6]!
    let h = state[7]!
    for (let t = 0; t < 64; t++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + rounds[t]! + w[t]!) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    state[0]! += a
    state[1]! += b
    state[2]! += c
    state[3]! += d
    state[4]! += e
    state[5]! += f
    state[6]! += g
    state[7]! += h
  }
}

/** SHA-256 of bytes, in hexadecimal. */
export const sha256 = (bytes: Uint8Array): string => {
  const hash = new Sha256()
  hash.update(bytes)
  return hash.hex()
}
