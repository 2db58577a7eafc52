/** A bounded cache of encoded pieces: two generations, of which the older is dropped when the younger is full. */
export class PieceCache {
  private readonly capacity: number
  private young = new Map<string, Int32Array>()
  private old = new Map<string, Int32Array>()

  /** Holds at most `2 * capacity` pieces. */
  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.young.size + this.old.size
  }

  get(piece: string): Int32Array | undefined {
    const ids = this.young.get(piece)
    if (ids !== undefined) return ids
    const aged = this.old.get(piece)
    if (aged !== undefined) this.set(piece, aged)
    return aged
  }

  set(piece: string, ids: Int32Array): void {
    if (this.young.size >= this.capacity) {
      this.old = this.young
      this.young = new Map()
    }
    this.young.set(piece, ids)
  }
}
