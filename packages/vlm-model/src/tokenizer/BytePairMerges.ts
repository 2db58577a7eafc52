/** Byte-pair merges: joins neighbouring symbols, always the pair of the lowest rank, until no pair has a rank. */

/** Merges: `left[m]` and `right[m]` become `product[m]`. */
export interface MergeRanks {
  readonly left: Int32Array
  readonly right: Int32Array
  readonly product: Int32Array
  /** Rank of each merge, below 2^22: of equal ones the leftmost pair comes first. Default m. */
  readonly rank?: Int32Array
}

// A heap entry holds rank and position in one double: rank * 2^31 + position, exact up to rank 2^22.
const positions = 2 ** 31
/** More merges than this do not fit a heap entry. */
export const maxMerges = 2 ** 22

const hash = (left: number, right: number): number => {
  const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

export class BytePairMerges {
  private readonly ranks: MergeRanks
  private readonly slots: Int32Array // open addressing; merge + 1, 0 is empty
  private readonly mask: number
  // Scratch space, kept between calls: a doubly linked list of symbols and a binary heap of candidate pairs.
  private previous = new Int32Array(0)
  private next = new Int32Array(0)
  private heap = new Float64Array(0)
  private heapSize = 0

  constructor(ranks: MergeRanks) {
    this.ranks = ranks
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, ranks.left.length * 3)))
    this.slots = new Int32Array(size)
    this.mask = size - 1
    for (let merge = 0; merge < ranks.left.length; merge++) {
      const slot = this.slotOf(ranks.left[merge]!, ranks.right[merge]!)
      // Of a repeated pair the last line counts, as in the reference.
      this.slots[slot] = merge + 1
    }
  }

  /** Merges the first `length` entries of `symbols` in place and returns how many remain. O(n log n). */
  merge(symbols: Int32Array, length: number): number {
    if (length < 2) return length
    this.reserve(length)
    const { product } = this.ranks
    const { previous, next } = this
    this.heapSize = 0
    for (let at = 0; at < length; at++) {
      previous[at] = at - 1
      next[at] = at + 1
    }
    for (let at = 0; at + 1 < length; at++) this.offer(symbols[at]!, symbols[at + 1]!, at)
    while (this.heapSize > 0) {
      const entry = this.pop()
      const rank = Math.floor(entry / positions)
      const at = entry - rank * positions
      const follower = next[at]!
      // The pair may have changed since it was offered, or have become a part of another.
      if (follower >= length) continue
      const merge = this.mergeOf(symbols[at]!, symbols[follower]!)
      if (merge < 0 || this.rankOf(merge) !== rank) continue
      symbols[at] = product[merge]!
      symbols[follower] = -1
      const after = next[follower]!
      next[at] = after
      if (after < length) {
        previous[after] = at
        this.offer(symbols[at]!, symbols[after]!, at)
      }
      const before = previous[at]!
      if (before >= 0) this.offer(symbols[before]!, symbols[at]!, before)
    }
    let kept = 0
    for (let at = 0; at < length; at = next[at]!) symbols[kept++] = symbols[at]!
    return kept
  }

  private rankOf(merge: number): number {
    return this.ranks.rank?.[merge] ?? merge
  }

  /** The merge of a pair; -1 where there is none. */
  private mergeOf(left: number, right: number): number {
    return this.slots[this.slotOf(left, right)]! - 1
  }

  private slotOf(left: number, right: number): number {
    let slot = hash(left, right) & this.mask
    for (;;) {
      const merge = this.slots[slot]! - 1
      if (merge < 0 || (this.ranks.left[merge] === left && this.ranks.right[merge] === right)) return slot
      slot = (slot + 1) & this.mask
    }
  }

  private reserve(length: number): void {
    if (this.next.length >= length) return
    const size = Math.max(64, length)
    this.previous = new Int32Array(size)
    this.next = new Int32Array(size)
    // At most length - 1 pairs at first; each merge takes one out and puts at most two in.
    this.heap = new Float64Array(2 * size)
  }

  /** Puts a pair on the heap if it has a rank; entries of equal rank come out from left to right. */
  private offer(left: number, right: number, at: number): void {
    const merge = this.mergeOf(left, right)
    if (merge < 0) return
    const entry = this.rankOf(merge) * positions + at
    const heap = this.heap
    let hole = this.heapSize++
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      if (heap[parent]! <= entry) break
      heap[hole] = heap[parent]!
      hole = parent
    }
    heap[hole] = entry
  }

  private pop(): number {
    const heap = this.heap
    const top = heap[0]!
    const entry = heap[--this.heapSize]!
    let hole = 0
    for (;;) {
      let child = 2 * hole + 1
      if (child >= this.heapSize) break
      if (child + 1 < this.heapSize && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= entry) break
      heap[hole] = heap[child]!
      hole = child
    }
    heap[hole] = entry
    return top
  }
}
