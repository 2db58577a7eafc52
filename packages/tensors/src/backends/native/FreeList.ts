/**
 * The allocator of one WebAssembly memory: address-ordered blocks that merge with free neighbours, kept in bins by size.
 * A bin is a stack, so that what was freed last (and is still in the cache) is used first.
 */

/** Blocks start at and are multiples of a cache line, so that rows of 16 floats never straddle one. */
export const alignment = 64

const upTo = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

/** Bytes that a block for `bytes` takes; an empty tensor has a place too. */
export const aligned = (bytes: number): number => Math.max(alignment, upTo(bytes))

interface Block {
  offset: number
  size: number
  free: boolean
  /** Neighbours by address. */
  before: Block | undefined
  after: Block | undefined
  /** Neighbours in the bin, while free. */
  newer: Block | undefined
  older: Block | undefined
}

/** Four bins an octave: sizes of a bin differ by at most a fifth, so the first that fits wastes little. */
const binOf = (size: number): number => Math.floor(4 * Math.log2(size / alignment))

export class FreeList {
  readonly capacity: number
  usedBytes = 0
  private readonly bins: (Block | undefined)[] = []
  private readonly used = new Map<number, Block>()

  /** Manages the bytes from `start` to `end`. */
  constructor(start: number, end: number) {
    const offset = upTo(start)
    const size = Math.floor((end - offset) / alignment) * alignment
    this.capacity = size
    if (size > 0) this.push(this.block(offset, size, undefined, undefined))
  }

  get buffers(): number {
    return this.used.size
  }

  /** Offset of `bytes` free bytes, from the upper end of a free block when `high`; undefined when none is large enough. */
  allocate(bytes: number, high = false): number | undefined {
    const size = aligned(bytes)
    const found = this.find(size)
    if (found === undefined) return undefined
    this.remove(found)
    const rest = found.size - size
    const taken = rest > 0 && high ? this.split(found, rest) : found
    if (rest > 0) this.push(taken === found ? this.split(found, size) : found)
    taken.free = false
    this.used.set(taken.offset, taken)
    this.usedBytes += size
    return taken.offset
  }

  /** Gives back what `allocate` returned. */
  free(offset: number): void {
    const block = this.used.get(offset)
    if (block === undefined) throw new RangeError(`FreeList: no block is in use at ${offset}`)
    this.used.delete(offset)
    this.usedBytes -= block.size
    const { before, after } = block
    if (after?.free) {
      this.remove(after)
      this.absorb(block, after)
    }
    if (before?.free) {
      this.remove(before)
      this.absorb(before, block)
      this.push(before)
    } else this.push(block)
  }

  /** Bytes of the largest free block. */
  largest(): number {
    for (let bin = this.bins.length - 1; bin >= 0; bin--) {
      let size = 0
      for (let block = this.bins[bin]; block !== undefined; block = block.older) size = Math.max(size, block.size)
      if (size > 0) return size
    }
    return 0
  }

  /** What is free, in no particular order. */
  *freeBlocks(): Generator<{ readonly offset: number; readonly size: number }> {
    for (const bin of this.bins) for (let block = bin; block !== undefined; block = block.older) yield block
  }

  private find(size: number): Block | undefined {
    // A block of the very size first, then the first that fits, then any of a larger bin.
    const bin = binOf(size)
    let fits: Block | undefined
    for (let block = this.bins[bin]; block !== undefined; block = block.older) {
      if (block.size === size) return block
      if (fits === undefined && block.size > size) fits = block
    }
    for (let larger = bin + 1; fits === undefined && larger < this.bins.length; larger++) fits = this.bins[larger]
    return fits
  }

  private block(offset: number, size: number, before: Block | undefined, after: Block | undefined): Block {
    return { offset, size, free: false, before, after, newer: undefined, older: undefined }
  }

  /** Cuts `block` after `size` bytes and returns the second part. */
  private split(block: Block, size: number): Block {
    const second = this.block(block.offset + size, block.size - size, block, block.after)
    if (block.after !== undefined) block.after.before = second
    block.after = second
    block.size = size
    return second
  }

  /** Merges `second`, the neighbour above, into `first`. */
  private absorb(first: Block, second: Block): void {
    first.size += second.size
    first.after = second.after
    if (second.after !== undefined) second.after.before = first
  }

  private push(block: Block): void {
    const bin = binOf(block.size)
    const head = this.bins[bin]
    for (let i = this.bins.length; i <= bin; i++) this.bins.push(undefined)
    block.free = true
    block.older = head
    block.newer = undefined
    if (head !== undefined) head.newer = block
    this.bins[bin] = block
  }

  private remove(block: Block): void {
    if (block.newer === undefined) this.bins[binOf(block.size)] = block.older
    else block.newer.older = block.older
    if (block.older !== undefined) block.older.newer = block.newer
    block.free = false
  }
}
