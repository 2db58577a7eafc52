/** What one thread computes with: its view of every memory, its scratch, and the products of the system's libraries. */
import type { Products } from "./library/Products.ts"
import { type Entry, instantiate, type WasmMemory, type WasmModule } from "./wasm.ts"

/** One WebAssembly memory as a thread sees it. */
interface Home {
  readonly memory: WasmMemory
  readonly bytes: Uint8Array
  readonly entries: { readonly [name: string]: Entry }
  /** Address of byte 0 for the libraries; 0 without one. */
  readonly address: number
}

const addressIn = (products: Products | undefined, { buffer }: WasmMemory): number => products?.addressOf(buffer) ?? 0

/** Scratch of one thread in every memory: packed panels of a product first, blocks of anything after them. */
export const scratchBytes = 4 * 2 ** 20
export const panelBytes = 2 ** 20

/** Bytes at the start of a memory that no tensor gets: offset 0 and the constants of the kernels. */
export const reservedBytes = 65536

export class Thread {
  homes: Home[] = []
  /** Offset of this thread's panels, the same in every memory. */
  readonly panels: number
  /** Offset and size of this thread's block scratch. */
  readonly scratch: number
  readonly scratchBytes = scratchBytes - panelBytes
  /** Products of the system's libraries, if there are any. */
  products: Products | undefined
  private readonly module: WasmModule

  constructor(index: number, module: WasmModule, products: Products | undefined) {
    this.module = module
    this.products = products
    this.panels = reservedBytes + index * scratchBytes
    this.scratch = this.panels + panelBytes
  }

  /** Takes other libraries into use. */
  useProducts(products: Products | undefined): void {
    this.products = products
    this.homes = this.homes.map((home) => ({ ...home, address: addressIn(products, home.memory) }))
  }

  /** Takes the next memory into use. */
  addMemory(memory: WasmMemory): void {
    this.homes.push({
      memory,
      bytes: new Uint8Array(memory.buffer),
      entries: instantiate(this.module, memory),
      address: addressIn(this.products, memory)
    })
  }

  home(memory: number): Home {
    const home = this.homes[memory]
    if (home === undefined) throw new RangeError(`thread has ${this.homes.length} memories, asked for ${memory}`)
    return home
  }

  entry(memory: number, name: string): Entry {
    const entry = this.home(memory).entries[name]
    if (entry === undefined)
      throw new RangeError(`the WebAssembly kernels have no function "${name}"; build them again`)
    return entry
  }

  /** Copies bytes between memories. */
  copy(to: Place, from: Place, bytes: number): void {
    const source = this.home(from.memory).bytes
    this.home(to.memory).bytes.set(source.subarray(from.offset, from.offset + bytes), to.offset)
  }
}

/** A position in one of the memories. */
export interface Place {
  readonly memory: number
  readonly offset: number
}
