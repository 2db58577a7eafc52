/** Messages that came before they were asked for, and an asking that waits for the next one. */

export class Letters {
  private readonly waiting: unknown[] = []
  private take: ((message: unknown) => void) | undefined

  put(message: unknown): void {
    const take = this.take
    this.take = undefined
    if (take === undefined) this.waiting.push(message)
    else take(message)
  }

  /** The next message, in the order in which they came. Asked again only when it is there. */
  next(): Promise<unknown> {
    return new Promise((resolve) => {
      if (this.waiting.length > 0) resolve(this.waiting.shift())
      else this.take = resolve
    })
  }
}
