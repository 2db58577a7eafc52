/** The fast backend of machines without a GPU: SIMD kernels in WebAssembly on all cores, products by the system's BLAS. */
import { countCores, countMemory, variable } from "#system/machine"
import type { Arithmetic } from "../../core/Arithmetic.ts"
import type { Backend } from "../../core/Backend.ts"
import { elementBytes } from "../../core/DType.ts"
import { BackendUnavailable, OutOfMemory, UnsupportedKernel } from "../../core/Errors.ts"
import type { Handle } from "../../core/Operand.ts"
import { sizeOf } from "../../core/Shape.ts"
import { hasKoffi } from "../installedPackages.ts"
import { Engine, type Stored } from "./Engine.ts"
import { type Found, findBlas, findOnednn, requireBfloat16 } from "./findLibraries.ts"
import { loadKernels, type SimdBuild } from "./loadKernels.ts"
import { Memories } from "./Memories.ts"
import { Pool } from "./Pool.ts"
import { loadProducts } from "./thread/library/loadLibrary.ts"
import { multipliesBfloat16, multipliesTiles, readProcessor } from "./thread/processor.ts"
import { scratchBytes, Thread } from "./thread/Thread.ts"

export interface NativeOptions {
  /** Threads, the caller's included. Default: SPEEDQ_THREADS, or one a core. */
  readonly threads?: number
  /** "auto": the first library found; "none": the WebAssembly product; otherwise the path of a library. Default: SPEEDQ_BLAS, or auto. */
  readonly blas?: string
  /** "auto": oneDNN where the processor's tiles make its products of bf16 worth it; "none"; otherwise a path. Default: SPEEDQ_ONEDNN, or auto where there may be a BLAS. */
  readonly onednn?: string
  /** Bytes of all tensors together. Default: nine tenths of what this machine or its container has. */
  readonly memoryLimit?: number
  /** Bytes of one WebAssembly memory, at most 4 GiB (the default). */
  readonly memoryBytes?: number
  /** How products are computed. Default: f32. Raises BackendUnavailable where this machine does not multiply bf16. */
  readonly arithmetic?: Arithmetic
  /** Build of the kernels. Default: relaxed SIMD where the engine has it. */
  readonly simd?: SimdBuild | "auto"
}

interface DescribedLibrary {
  readonly name: string
  readonly path: string
  readonly configuration: string
}

/** What a native backend runs on, for `speedq doctor` and run records. */
export interface NativeDescription {
  readonly threads: number
  readonly cores: number
  readonly simd: SimdBuild
  /** Name and version of the BLAS; undefined when products are WebAssembly's. */
  readonly blas: DescribedLibrary | undefined
  /** Why there is no BLAS, or that it was found or chosen. */
  readonly blasReason: string
  /** Multiplies by weights stored as bf16 without widening them; undefined when they are widened. */
  readonly onednn: DescribedLibrary | undefined
  readonly onednnReason: string
  /** Whether the processor multiplies bf16, which arithmetic in bf16 needs. */
  readonly multipliesBfloat16: boolean
  /** Whether the processor multiplies tiles of bf16, which oneDNN uses. */
  readonly tiles: boolean
  readonly memoryLimit: number
}

export interface NativeBackend extends Backend {
  readonly description: NativeDescription
  readonly withArithmetic: (arithmetic: Arithmetic) => NativeBackend
}

const described = (library: Found | undefined): DescribedLibrary | undefined =>
  library && { name: library.name, path: library.path, configuration: library.configuration }

const greatestMemory = 2 ** 32
const mostThreads = 256

const defaultLimit = (): number => Math.floor(0.9 * countMemory())

const checked = (name: string, given: number | string, least: number, most: number): number => {
  const value = Number(given)
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new BackendUnavailable("native", `${name} is ${given}, expected a whole number from ${least} to ${most}`)
}

/** Threads that the environment asks for. */
const threadsAsked = (): number | undefined => {
  const asked = variable("SPEEDQ_THREADS") ?? ""
  return asked === "" ? undefined : checked("SPEEDQ_THREADS", asked, 1, mostThreads)
}

/** What multiplies bf16 on this machine's processor. Raises BackendUnavailable, which says why nothing does and what to do. */
export const bfloat16Products = (): string => requireBfloat16(onednnChoice(variable("SPEEDQ_BLAS") ?? "auto")).name

/** Who wants no BLAS wants WebAssembly's products. */
const onednnChoice = (blas: string): string => (blas === "none" ? "none" : (variable("SPEEDQ_ONEDNN") ?? "auto"))

/** Starts the native backend. Raises BackendUnavailable when an option cannot be met. */
export const makeNativeBackend = async (options: NativeOptions = {}): Promise<NativeBackend> => {
  const cores = countCores()
  const threads = checked("threads", options.threads ?? threadsAsked() ?? cores, 1, mostThreads)
  const memoryLimit = checked("memoryLimit", options.memoryLimit ?? defaultLimit(), 0, Number.MAX_SAFE_INTEGER)
  const least = 2 * threads * scratchBytes
  const capacity = checked("memoryBytes", options.memoryBytes ?? greatestMemory, least, greatestMemory)
  const choice = options.blas ?? variable("SPEEDQ_BLAS") ?? "auto"
  const blas = findBlas(choice)
  const wanted = options.onednn ?? onednnChoice(choice)
  const onednn = findOnednn(wanted)
  const libraries = { cblas: blas.library?.path, onednn: onednn.library?.path }
  const { module, build, flags } = await loadKernels(options.simd ?? "auto")
  const own = new Thread(0, module, loadProducts(libraries))
  const pool = await Pool.start(threads, own, { module, flags, libraries })
  const memories = new Memories({ limit: memoryLimit, capacity, threads }, (memory) => pool.addMemory(memory))
  const description: NativeDescription = {
    threads,
    cores,
    simd: build,
    blas: described(blas.library),
    multipliesBfloat16: multipliesBfloat16(readProcessor()),
    tiles: multipliesTiles(readProcessor()),
    blasReason: blas.reason,
    onednn: described(onednn.library),
    onednnReason: onednn.reason,
    memoryLimit
  }
  const webAssembly = `WebAssembly ${build} SIMD${choice === "none" || hasKoffi() ? "" : ", no BLAS without koffi"}`
  const f32 = blas.library?.name ?? webAssembly
  let buffers = 0
  let bytes = 0
  let peakBytes = 0
  const inOneArithmetic = (arithmetic: Arithmetic, products: string, engine: Engine): NativeBackend => ({
    name: `native (${products}, ${threads} ${threads === 1 ? "thread" : "threads"})`,
    kind: "native",
    description,
    arithmetic,
    withArithmetic,
    allocate: ({ dtype, shape }, { zero = false } = {}): Stored => {
      const size = sizeOf(shape) * elementBytes(dtype)
      if (bytes + size > memoryLimit) throw new OutOfMemory("native", size, bytes, memoryLimit)
      const stored: Stored = { dtype, shape, bytes: size, room: undefined }
      if (zero) engine.clear(stored)
      buffers++
      bytes += size
      peakBytes = Math.max(peakBytes, bytes)
      return stored
    },
    fill: (handle, write) => {
      engine.settleFor(handle)
      const place = engine.place({ handle }, { resident: true })
      write(memories.view(place, handle.bytes))
    },
    read: async (handle) => {
      engine.settleFor(handle)
      return memories.view(engine.place({ handle }), handle.bytes)
    },
    release: (handle: Handle) => {
      const stored = handle as Stored
      engine.settleFor(stored)
      if (stored.room !== undefined) memories.release(stored.room)
      stored.room = undefined
      buffers--
      bytes -= stored.bytes
    },
    run: (kernel, call) => {
      if (kernel.native === undefined) throw new UnsupportedKernel(kernel.name, "native", "it has no native body")
      engine.kernel = kernel.name
      kernel.native(engine, call)
    },
    together: (calls) => engine.together(calls),
    trim: () => memories.trim(),
    usage: () => ({ buffers, bytes, peakBytes }),
    close: () => pool.close()
  })
  const parts = onednn.library === undefined ? "" : ` and ${onednn.library.name}`
  const single = inOneArithmetic("f32", f32 + parts, new Engine(memories, pool, parts === "" ? "f32" : "parts"))
  let rounding: NativeBackend | undefined
  const makeRounding = (): NativeBackend => {
    const { name, path } = requireBfloat16(wanted)
    pool.useLibraries({ ...libraries, onednn: path })
    return inOneArithmetic("bf16", `${f32}, bf16 by ${name}`, new Engine(memories, pool, "bf16"))
  }
  function withArithmetic(arithmetic: Arithmetic): NativeBackend {
    if (arithmetic === "f32") return single
    rounding ??= makeRounding()
    return rounding
  }
  try {
    return withArithmetic(options.arithmetic ?? "f32")
  } catch (error) {
    await pool.close()
    throw error
  }
}
