/** Compiled programs by kernel, extents and constants; the longest unused are destroyed beyond a bound. */
import { UnsupportedKernel } from "../../Errors.ts"
import { sizeOf } from "../../Shape.ts"
import type { CompiledProgram, Device } from "./Device.ts"
import type { GpujsProgram } from "./GpujsBody.ts"

/** Programs kept: a model's kernels at a few sequence lengths. */
const mostPrograms = 512
/** Elements of their results together: a webasm program keeps a memory for its operands and result. */
const mostElements = 2 ** 27

/** Two programs of one text and these numbers compute the same. */
const keyOf = (kernel: string, { compute, constants, tables, extent }: GpujsProgram): string => {
  const entries = Object.entries(tables ?? {}).map(([name, values]) => `${name}=${values.join()}`)
  return `${kernel} ${compute.name} ${extent.join("x")} ${JSON.stringify(constants ?? {})} ${entries.join(" ")}`
}

const isTyped = (error: unknown): error is Error => error instanceof Error && "_tag" in error

export const makeProgramCache = <S>(device: Device<S>) => {
  const programs = new Map<string, { readonly compiled: CompiledProgram<S>; readonly elements: number }>()
  let elements = 0
  const drop = (key: string) => {
    const entry = programs.get(key)
    if (entry === undefined) return
    programs.delete(key)
    elements -= entry.elements
    entry.compiled.destroy()
  }
  const compiledFor = (kernel: string, program: GpujsProgram, key: string): CompiledProgram<S> => {
    const known = programs.get(key)
    const entry = known ?? { compiled: device.compile(kernel, program), elements: sizeOf(program.extent) }
    if (known === undefined) elements += entry.elements
    programs.delete(key) // the order of the map is that of use
    programs.set(key, entry)
    for (const oldest of programs.keys()) {
      if (oldest === key || (programs.size <= mostPrograms && elements <= mostElements)) break
      drop(oldest)
    }
    return entry.compiled
  }
  return {
    /** Raises UnsupportedKernel for whatever GPU.js has against the program. */
    run: async (kernel: string, program: GpujsProgram, operands: readonly S[]): Promise<S> => {
      const key = keyOf(kernel, program)
      try {
        return await compiledFor(kernel, program, key).run(operands, program.scalars ?? [])
      } catch (error) {
        drop(key)
        if (isTyped(error)) throw error
        throw new UnsupportedKernel(kernel, device.name, `program "${program.output}": ${String(error)}`)
      }
    },
    clear: (): void => {
      for (const key of [...programs.keys()]) drop(key)
    }
  }
}
