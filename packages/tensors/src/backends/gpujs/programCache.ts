/** Compiled programs; the longest unused are destroyed beyond a bound. */
import { UnsupportedKernel } from "../../core/Errors.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { CompiledProgram, Device } from "./Device.ts"
import type { GpujsProgram, ProgramFunction } from "./GpujsBody.ts"

/** Programs kept: a model's kernels, at a few sequence lengths where these are compiled in. */
const mostPrograms = 512
/** Elements of their results together, where they are compiled in: such a program may keep memory for its result. */
const mostElements = 2 ** 27

/** A number for every function: names need not be unique. */
const numbers = new WeakMap<ProgramFunction, number>()
let functions = 0
const numberOf = (compute: ProgramFunction): number => {
  const number = numbers.get(compute) ?? functions++
  numbers.set(compute, number)
  return number
}

/** Two programs with one key are one compiled program. */
const keyOf = (kernel: string, fixed: boolean, program: GpujsProgram): string => {
  const { compute, reads, constants = {}, sizes = {}, tables = {}, extent } = program
  const tableKeys = Object.entries(tables).map(([name, values]) => `${name}=${values.join()}`)
  const lengths = fixed ? [...extent, sizes] : [extent.length, Object.keys(sizes)]
  return `${kernel} ${JSON.stringify([numberOf(compute), reads.length, constants, ...lengths])} ${tableKeys.join(" ")}`
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
    const entry = known ?? {
      compiled: device.compile(kernel, program),
      elements: device.fixed ? sizeOf(program.extent) : 0
    }
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
      const size = sizeOf(program.extent)
      if (size > device.maxElements) {
        const reason = `"${program.output}" has ${size} elements, this mode ends at ${device.maxElements}`
        throw new UnsupportedKernel(kernel, device.name, reason)
      }
      const key = keyOf(kernel, device.fixed, program)
      try {
        return await compiledFor(kernel, program, key).run(program, operands)
      } catch (error) {
        drop(key)
        if (isTyped(error)) throw error
        throw new UnsupportedKernel(kernel, device.name, `program "${program.output}": ${String(error)}`)
      }
    },
    /** How many programs are compiled. */
    size: (): number => programs.size,
    clear: (): void => {
      for (const key of [...programs.keys()]) drop(key)
    }
  }
}
