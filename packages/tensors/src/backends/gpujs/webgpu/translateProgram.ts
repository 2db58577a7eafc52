/**
 * A program as GPU.js translates it: WGSL, and where its parameters lie. GPU.js would also run it, a submit and a buffer for
 * every call; here it builds, and the device launches. That leans on names inside gpu.js 2.24.1, whose version is pinned:
 * packages/tensors/test/gpujs/translateProgram.test.ts fails when they change.
 */
import type { GPU, IKernelRunShortcut } from "gpu.js"
import { assertMode, createProgram } from "../createProgram.ts"
import type { GpujsProgram } from "../GpujsBody.ts"
import { type Kind, readOf, wideningOf } from "./packing.ts"

/** What is used of a WebGPU kernel beyond its public face, in gpu.js 2.24. */
interface WebgpuKernel {
  readonly compiledSource: string
  readonly workgroupSize: Workgroup
  readonly paramsLayout: {
    readonly arrayArgs: readonly { readonly name: string; readonly dimsOffset: number }[]
    readonly scalarArgs: readonly { readonly offset: number; readonly type: string }[]
    readonly bufferConstants: readonly { readonly constantName: string }[]
    readonly byteLength: number
  }
  build(...parameters: unknown[]): Promise<void>
  /** Its half of `build` that needs a device. */
  _buildAsync: () => Promise<void>
}

type Workgroup = readonly [number, number, number]

interface TranslatedProgram {
  readonly wgsl: string
  /** Threads of a workgroup. */
  readonly workgroup: Workgroup
  /** Names of the operands in the text, in the order of the program's reads, and the byte of their extents [x, y, z, all] in the parameters. */
  readonly reads: readonly { readonly name: string; readonly extents: number }[]
  /** Bytes of the scalars, then of the sizes, in the parameters, and whether they are whole numbers. */
  readonly scalars: readonly { readonly at: number; readonly whole: boolean }[]
  /** Constants that are arrays, by the names that the program gives them. */
  readonly tables: readonly string[]
  /** Of all parameters: the extent of the output [x, y, z], the threads of a row of workgroups, then the above. */
  readonly parameterBytes: number
}

/** Bindings: the parameters, operands, the result, tables. */
export const bindingOfRead = (index: number): number => 1 + index
export const bindingOfResult = ({ reads }: TranslatedProgram): number => 1 + reads.length

const settings = { operandType: "Array", fixed: false } as const

const pick = (shortcut: IKernelRunShortcut, program: GpujsProgram): TranslatedProgram => {
  const { compiledSource, workgroupSize, paramsLayout } = shortcut.kernel as unknown as WebgpuKernel
  const { arrayArgs, scalarArgs, bufferConstants, byteLength } = paramsLayout
  const scalars = (program.scalars?.length ?? 0) + Object.keys(program.sizes ?? {}).length
  if (arrayArgs.length !== program.reads.length || scalarArgs.length !== scalars) {
    throw new Error(
      `GPU.js laid out ${arrayArgs.length} operands and ${scalarArgs.length} scalars otherwise than given`
    )
  }
  return {
    wgsl: compiledSource,
    workgroup: workgroupSize,
    reads: arrayArgs.map(({ name, dimsOffset }) => ({ name, extents: dimsOffset })),
    scalars: scalarArgs.map(({ offset, type }) => ({ at: offset, whole: type === "Integer" })),
    tables: bufferConstants.map(({ constantName }) => constantName),
    parameterBytes: byteLength
  }
}

/** Raises UnsupportedKernel, and what GPU.js has against the program. */
export const translateProgram = (gpu: GPU, kernel: string, program: GpujsProgram): TranslatedProgram => {
  const shortcut = createProgram(gpu, kernel, program, settings)
  try {
    const inner = shortcut.kernel as unknown as WebgpuKernel
    inner._buildAsync = async () => {}
    const { reads, scalars = [], sizes = {} } = program
    void inner.build(...reads.map(() => new Float32Array(1)), ...scalars, ...Object.values(sizes))
    assertMode(shortcut, "webgpu", kernel)
    return pick(shortcut, program)
  } finally {
    shortcut.destroy()
  }
}

/** The program for operands that are stored as `kinds`, in the order of its reads: packed ones are widened where they are read. */
export const readingOf = (translated: TranslatedProgram, kinds: readonly Kind[]): TranslatedProgram => {
  let { wgsl } = translated
  for (const [index, kind] of kinds.entries()) {
    if (kind === "f32") continue
    const { name } = translated.reads[index]!
    const declaration = `var<storage, read> user_${name} : array<`
    const [before, after, ...others] = wgsl.split(`return user_${name}[`)
    const end = after?.indexOf("];\n}") ?? -1
    if (after === undefined || end < 0 || others.length > 0 || !before!.includes(`${declaration}f32>;`)) {
      throw new Error(`GPU.js reads "${name}" otherwise than expected`)
    }
    const read = `let at = ${after.slice(0, end)};\n  return ${readOf(kind, `user_${name}`, "at")}`
    wgsl = before!.replace(`${declaration}f32>`, `${declaration}u32>`) + read + after.slice(end + 1)
  }
  return { ...translated, wgsl: wgsl + wideningOf(kinds) }
}

/**
 * The text for a program whose result takes the place of operand `index`: each thread reads that operand at its own element only,
 * which it finds in the result then, because no buffer can be bound both as an operand and as a result.
 */
export const inPlaceOf = (translated: TranslatedProgram, index: number): string => {
  const { name } = translated.reads[index]!
  const declaration = `@group(0) @binding(${bindingOfRead(index)}) var<storage, read> user_${name} : array<f32>;\n`
  const use = `return user_${name}[`
  const parts = translated.wgsl.replace(declaration, "").split(use)
  if (parts.length !== 2 || parts.some((part) => part.includes(`user_${name}[`)) || parts[0]!.includes(declaration)) {
    throw new Error(`GPU.js reads "${name}" otherwise than expected`)
  }
  return parts.join("return result[")
}
