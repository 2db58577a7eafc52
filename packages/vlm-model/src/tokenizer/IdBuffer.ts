/** A growing Int32Array. */
export class IdBuffer {
  private ids = new Int32Array(64)
  private length = 0

  push(id: number): void {
    this.reserve(1)
    this.ids[this.length++] = id
  }

  append(more: Int32Array): void {
    this.reserve(more.length)
    this.ids.set(more, this.length)
    this.length += more.length
  }

  finish(): Int32Array {
    return this.ids.slice(0, this.length)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.ids.length) return
    const grown = new Int32Array(Math.max(2 * this.ids.length, this.length + count))
    grown.set(this.ids)
    this.ids = grown
  }
}
