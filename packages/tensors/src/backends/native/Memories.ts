/**
 * The WebAssembly memories of a backend, made one by one as tensors need them.
 * What stays (weights, optimizer state) goes to the upper end of a memory and takes at most half of the first one, what
 * kernels compute goes to the lower end, so that the two neither fragment each other nor drive each other out.
 */
import { BackendUnavailable, OutOfMemory } from "../../core/Errors.ts"
import { FreeList } from "./FreeList.ts"
import { openGivePagesBack } from "./givePagesBack.ts"
import { type Place, reservedBytes, scratchBytes } from "./thread/Thread.ts"
import { makeMemory, pageBytes, type WasmMemory } from "./thread/wasm.ts"

/** No tensor touches the last page of 4 GiB, so that the 32-bit pointer behind its end does not wrap to 0. */
const greatestEnd = 2 ** 32 - pageBytes

/** Small tensors always live with the activations: what they are combined with is there. */
const smallBytes = 2 ** 20

/** Tensors fill a memory up to this part of it; the rest is for operands that visit it during a call. */
const sharedPart = 31 / 32

/** A place that was given out. */
export interface Room extends Place {
  readonly bytes: number
  readonly resident: boolean
}

interface MemoryOptions {
  /** Bytes of all tensors together. */
  readonly limit: number
  /** Bytes of one memory, at most 4 GiB. */
  readonly capacity: number
  readonly threads: number
}

export class Memories {
  private readonly options: MemoryOptions
  private readonly announce: (memory: WasmMemory) => void
  private readonly lists: FreeList[] = []
  private readonly buffers: Uint8Array[] = []
  private readonly residentBytes: number[] = []
  private readonly givePagesBack = openGivePagesBack()

  constructor(options: MemoryOptions, announce: (memory: WasmMemory) => void) {
    this.options = options
    this.announce = announce
    if (!this.grow(0)) {
      throw new BackendUnavailable(
        "native",
        "this process may not reserve the addresses of a WebAssembly memory; raise its limit (ulimit -v), V8 takes 10 GiB for each"
      )
    }
  }

  get count(): number {
    return this.lists.length
  }

  /** Finds room, in `preferred` if it has some. Raises OutOfMemory. */
  place(bytes: number, use: { readonly resident?: boolean; readonly preferred?: number } = {}): Room {
    const resident = use.resident === true && bytes >= smallBytes
    const { preferred } = use
    const found =
      (preferred === undefined ? undefined : this.placeIn(preferred, bytes)) ??
      this.firstOf(bytes, resident) ??
      (this.grow(bytes) ? this.placeIn(this.count - 1, bytes, resident) : this.firstOf(bytes, false))
    if (found !== undefined) return found
    const used = this.lists.reduce((sum, list) => sum + list.usedBytes, 0)
    throw new OutOfMemory("native", bytes, used, this.options.limit)
  }

  /** Room in one memory only; undefined when it has none. */
  placeIn(memory: number, bytes: number, resident = false): Room | undefined {
    const list = this.lists[memory]
    if (list === undefined || list.usedBytes + bytes > list.capacity * sharedPart) return undefined
    const offset = list.allocate(bytes, resident)
    if (offset === undefined) return undefined
    if (resident) this.residentBytes[memory]! += bytes
    return { memory, offset, bytes, resident }
  }

  /** Room for the length of one call, from what tensors leave free. */
  borrow(memory: number, bytes: number): Room | undefined {
    const offset = this.lists[memory]?.allocate(bytes)
    return offset === undefined ? undefined : { memory, offset, bytes, resident: false }
  }

  release({ memory, offset, bytes, resident }: Room): void {
    this.lists[memory]!.free(offset)
    if (resident) this.residentBytes[memory]! -= bytes
  }

  /** Gives what is free back to the system, where it takes it; stored tensors stay where they are. */
  trim(): void {
    for (const [memory, list] of this.lists.entries()) {
      for (const { offset, size } of list.freeBlocks()) this.givePagesBack?.(this.buffers[memory]!, offset, size)
    }
  }

  view({ memory, offset }: Place, bytes: number): Uint8Array {
    return this.buffers[memory]!.subarray(offset, offset + bytes)
  }

  private firstOf(bytes: number, resident: boolean): Room | undefined {
    for (let memory = 0; memory < this.count; memory++) {
      if (resident && memory === 0 && this.residentBytes[0]! + bytes > this.lists[0]!.capacity / 2) continue
      const place = this.placeIn(memory, bytes, resident)
      if (place !== undefined) return place
    }
    return undefined
  }

  /** Adds a memory, if the limit and the machine allow one and it could hold the bytes. */
  private grow(bytes: number): boolean {
    const { limit, capacity, threads } = this.options
    const start = reservedBytes + threads * scratchBytes
    const end = Math.min(capacity, greatestEnd)
    const all = this.lists.reduce((sum, list) => sum + list.capacity, 0)
    // One memory more than the limit needs: the last bytes of each may be too few for the next tensor.
    if (bytes > (end - start) * sharedPart || all > limit + capacity) return false
    const memory = makeMemory(Math.ceil(capacity / pageBytes))
    if (memory === undefined) return false
    this.announce(memory)
    this.lists.push(new FreeList(start, end))
    this.buffers.push(new Uint8Array(memory.buffer))
    this.residentBytes.push(0)
    return true
  }
}
