/**
 * Products of f16 matrices with f32 sums, which an adapter may have (Vulkan's cooperative matrices, tensor cores): what of them a
 * device is asked for, and in which shape. Off unless the backend is asked for by a name that says so.
 */
import { BackendUnavailable } from "../../../core/Errors.ts"

/** How many products of halves stand for one of f32 numbers, by the mode that a backend is asked for. */
const termsOf = { "webgpu+f16": 1, "webgpu+f16x3": 3 } as const
export type MatrixMode = keyof typeof termsOf

export const isMatrixMode = (mode: string): mode is MatrixMode => mode in termsOf

/** What the programs of a device's products are written for. */
export interface Matrices {
  /** 1: factors rounded to f16. 3: each is the sum of two f16; high high + high low + low high, about 21 bits. */
  readonly terms: 1 | 3
  /** A subgroup multiplies m x k by k x n at a time. */
  readonly m: number
  readonly n: number
  readonly k: number
  /** Threads of a subgroup. */
  readonly subgroup: number
}

/** The shapes that products are written for, the one that is taken first: an adapter has few of them. */
const shapes = [
  [16, 16, 16],
  [16, 8, 16],
  [8, 16, 16],
  [16, 16, 8],
  [16, 8, 8],
  [8, 8, 8]
] as const

/** The features of an adapter that matrices need, and what lacks where it has them not. */
const features = {
  "shader-f16": "16-bit floats in shaders",
  subgroups: "subgroups",
  "chromium-experimental-subgroup-matrix":
    "matrices of subgroups (Vulkan: a driver with VK_KHR_cooperative_matrix, and Dawn's toggle allow_unsafe_apis, which this backend sets)"
} as const
export const matrixFeatures: readonly string[] = Object.keys(features)

/** An entry of `subgroupMatrixConfigs`, which the types of WebGPU do not have yet. */
interface Configuration {
  readonly componentType: string
  readonly resultComponentType: string
  readonly M: number
  readonly N: number
  readonly K: number
}

/** What is asked of an adapter. */
export interface MatrixAdapter {
  readonly features: { has(feature: string): boolean }
  readonly info: {
    readonly subgroupMinSize?: number
    readonly subgroupMaxSize?: number
    readonly subgroupMatrixConfigs?: Iterable<Configuration>
  }
}

/** An entry as messages have it. */
export const tellConfiguration = ({ componentType, resultComponentType, M, N, K }: Configuration): string =>
  `${componentType} -> ${resultComponentType} of ${M}x${N}x${K}`

const instead = "gpujs:webgpu multiplies in f32 on every adapter"

/**
 * The matrices that a mode takes on an adapter, which is `called` so in messages. Raises BackendUnavailable, which says what the adapter
 * lacks and what to do.
 */
export const matricesOf = (mode: MatrixMode, called: string, { features: has, info }: MatrixAdapter): Matrices => {
  const refuse = (reason: string) => new BackendUnavailable(`gpujs:${mode}`, `${reason}; ${instead}`)
  for (const [feature, what] of Object.entries(features)) {
    if (!has.has(feature)) throw refuse(`the adapter (${called}) lacks the feature ${feature}: ${what}`)
  }
  const there = [...(info.subgroupMatrixConfigs ?? [])]
  const sums = there.filter((each) => each.componentType === "f16" && each.resultComponentType === "f32")
  const shape = shapes.find(([m, n, k]) => sums.some(({ M, N, K }) => M === m && N === n && K === k))
  if (shape === undefined) {
    const listed = there.length === 0 ? "none at all" : there.map(tellConfiguration).join(", ")
    const known = shapes.map((each) => each.join("x")).join(", ")
    throw refuse(`the adapter (${called}) multiplies no f16 -> f32 matrices of ${known} (M x N x K), but ${listed}`)
  }
  const { subgroupMinSize: least, subgroupMaxSize: most } = info
  if (least !== most || (most !== 32 && most !== 64)) {
    throw refuse(
      `subgroups of the adapter (${called}) have ${least} to ${most} threads, and products of matrices are written for 32, or for 64`
    )
  }
  const [m, n, k] = shape
  return { terms: termsOf[mode], m, n, k, subgroup: most }
}

/** The shape as names of backends have it. */
export const tellShape = ({ m, n, k }: Pick<Matrices, "m" | "n" | "k">): string => `${m}x${n}x${k}`
