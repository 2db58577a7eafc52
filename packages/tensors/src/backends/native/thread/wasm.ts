/** The part of the WebAssembly API that is used here: the type library of Node has none. */

export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
}

/** A compiled module; may be posted to a worker. */
export interface WasmModule {
  readonly compiled?: never
}

/** A function of the kernels: pointers as byte offsets, counts and scalars as numbers. */
export type Entry = (...parameters: number[]) => number

interface WebAssemblyApi {
  readonly Memory: new (descriptor: {
    readonly initial: number
    readonly maximum: number
    readonly shared: boolean
  }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly env: { readonly memory: WasmMemory; readonly abort: () => never } }
  ) => { readonly exports: { readonly [name: string]: Entry } }
  readonly Module: { readonly exports: (module: WasmModule) => readonly { readonly name: string }[] }
  readonly compile: (bytes: Uint8Array) => Promise<WasmModule>
  readonly validate: (bytes: Uint8Array) => boolean
}

declare const WebAssembly: WebAssemblyApi

export const pageBytes = 65536

/**
 * A shared memory of `pages` pages from the start: pages cost nothing until they are touched, and views never go stale.
 * Undefined where the system does not give that many addresses.
 */
export const makeMemory = (pages: number): WasmMemory | undefined => {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  } catch {
    return undefined
  }
}

export const instantiate = (module: WasmModule, memory: WasmMemory): { readonly [name: string]: Entry } =>
  new WebAssembly.Instance(module, {
    env: {
      memory,
      abort: () => {
        throw new RangeError("the WebAssembly kernels aborted")
      }
    }
  }).exports

/** Names of what a module exports, in the module's order. */
export const exportNames = (module: WasmModule): readonly string[] =>
  WebAssembly.Module.exports(module).map(({ name }) => name)

export const compile = (bytes: Uint8Array): Promise<WasmModule> => WebAssembly.compile(bytes)
export const validate = (bytes: Uint8Array): boolean => WebAssembly.validate(bytes)
