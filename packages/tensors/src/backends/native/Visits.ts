/** Memory of one kernel call: copies of operands that live in another memory than the one it runs in, and partial sums. */
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { Memories, Room } from "./Memories.ts"
import type { Place } from "./thread/Thread.ts"

export interface Visitor extends Place {
  readonly bytes: number
  readonly reads: boolean
  readonly writes: boolean
}

export class Visits {
  private readonly kernel: string
  private readonly memories: Memories
  private readonly rooms: Room[] = []
  private readonly returns: (() => void)[] = []

  constructor(kernel: string, memories: Memories) {
    this.kernel = kernel
    this.memories = memories
  }

  /** Runs a call; what it wrote to visitors goes back to them, and all its memory is given back. */
  static during<T>(kernel: string, memories: Memories, body: (visits: Visits) => T): T {
    const visits = new Visits(kernel, memories)
    try {
      const result = body(visits)
      for (const copyBack of visits.returns) copyBack()
      return result
    } finally {
      for (const room of visits.rooms) memories.release(room)
    }
  }

  /** Offset of the operand in memory `home`: its own, or that of a copy. */
  whole({ memory, offset, bytes, reads, writes }: Visitor, home: number): number {
    if (memory === home) return offset
    const [own, copy] = [{ memory, offset }, this.borrow(bytes, home)]
    const move = (to: Place, from: Place) => this.memories.view(to, bytes).set(this.memories.view(from, bytes))
    if (reads) move(copy, own)
    if (writes) this.returns.push(() => move(own, copy))
    return copy.offset
  }

  /** Offset of `bytes` zeroed bytes in memory `home`. */
  zeroed(bytes: number, home: number): number {
    const room = this.borrow(bytes, home)
    this.memories.view(room, bytes).fill(0)
    return room.offset
  }

  /** Some memory of the call, contents undefined. */
  borrow(bytes: number, home: number): Room {
    const room = this.memories.borrow(home, bytes)
    if (room === undefined) {
      throw new UnsupportedKernel(
        this.kernel,
        "native",
        `memory ${home} has no ${bytes} bytes left for operands that live elsewhere; use smaller operands`
      )
    }
    this.rooms.push(room)
    return room
  }
}
