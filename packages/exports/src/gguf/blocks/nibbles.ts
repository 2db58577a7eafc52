/** 32 codes of 4 bits in 16 bytes: code i in the low half of byte i, code 16 + i in its high half. */

const half = 16

/** Writes the codes that `codeAt` gives for the places of a block. */
export const writeNibbles = (blocks: Uint8Array, at: number, codeAt: (place: number) => number): void => {
  for (let i = 0; i < half; i++) blocks[at + i] = codeAt(i) | (codeAt(half + i) << 4)
}

/** The code at a place of a block whose codes begin at byte `at`. */
export const nibbleAt = (blocks: Uint8Array, at: number, place: number): number =>
  place < half ? blocks[at + place]! & 15 : blocks[at + place - half]! >> 4
