/** Compiled programs; the longest unused are destroyed beyond a bound. */
import { UnsupportedKernel } from "../../core/Errors.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { CompiledProgram, Device } from "./Device.ts"
import type { GpujsProgram, ProgramFunction } from "./GpujsBody.ts"

/** Programs kept: a model's kernels, at a few sequence lengths where these are compiled in. */
const mostPrograms = 512
/** Elements of their results together, where they are compiled in: such a program may keep memory for its result. */
const mostElements = 2 ** 27

interface Known<S> {
  readonly kernel: string
  /** What it was compiled from. */
  readonly program: GpujsProgram
  readonly compiled: CompiledProgram<S>
  /** Of its result, where that is compiled in. */
  readonly elements: number
  /** When it was last run, in runs of all programs. */
  used: number
}

type Numbers = { readonly [name: string]: number }

const sameNumbers = (a: Numbers | undefined, b: Numbers | undefined): boolean => {
  if (a === undefined || b === undefined) return a === b
  let names = 0
  for (const name in a) {
    if (a[name] !== b[name]) return false
    names++
  }
  for (const _ in b) names--
  return names === 0
}

const sameNames = (a: object = {}, b: object = {}): boolean => Object.keys(a).join() === Object.keys(b).join()

const sameElements = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

const sameTables = ({ tables: a }: GpujsProgram, { tables: b }: GpujsProgram): boolean =>
  a === b || (sameNames(a, b) && Object.entries(a ?? {}).every(([name, values]) => sameElements(values, b![name]!)))

/** Whether one compiled program serves both, which have the same function. It is asked for every launch. */
const isSame = (a: GpujsProgram, b: GpujsProgram, fixed: boolean): boolean => {
  if (a.reads.length !== b.reads.length || !sameNumbers(a.constants, b.constants) || !sameTables(a, b)) return false
  if (fixed) return sameElements(a.extent, b.extent) && sameNumbers(a.sizes, b.sizes)
  return a.extent.length === b.extent.length && (a.sizes === b.sizes || sameNames(a.sizes, b.sizes))
}

const isTyped = (error: unknown): error is Error => error instanceof Error && "_tag" in error

export const makeProgramCache = <S>(device: Device<S>) => {
  const byFunction = new Map<ProgramFunction, Known<S>[]>()
  let [size, elements, runs] = [0, 0, 0]
  const drop = (known: Known<S>) => {
    const others = byFunction.get(known.program.compute) ?? []
    const index = others.indexOf(known)
    if (index < 0) return
    others.splice(index, 1)
    if (others.length === 0) byFunction.delete(known.program.compute)
    size--
    elements -= known.elements
    known.compiled.destroy()
  }
  const all = (): readonly Known<S>[] => [...byFunction.values()].flat()
  /** Makes room after `newest` came. */
  const dropOldest = (newest: Known<S>) => {
    if (size <= mostPrograms && elements <= mostElements) return
    for (const oldest of [...all()].sort((a, b) => a.used - b.used)) {
      if (oldest === newest || (size <= mostPrograms && elements <= mostElements)) break
      drop(oldest)
    }
  }
  const add = (kernel: string, program: GpujsProgram): Known<S> => {
    const compiled = device.compile(kernel, program)
    const known = { kernel, program, compiled, elements: device.fixed ? sizeOf(program.extent) : 0, used: runs }
    const others = byFunction.get(program.compute)
    if (others === undefined) byFunction.set(program.compute, [known])
    else others.push(known)
    size++
    elements += known.elements
    dropOldest(known)
    return known
  }
  const find = (kernel: string, program: GpujsProgram): Known<S> | undefined =>
    byFunction
      .get(program.compute)
      ?.find((known) => known.kernel === kernel && isSame(known.program, program, device.fixed))
  return {
    /** Raises UnsupportedKernel for whatever GPU.js has against the program. */
    run: (kernel: string, program: GpujsProgram, operands: readonly S[]): S | Promise<S> => {
      const count = sizeOf(program.extent)
      const most = device.maxElements("f32")
      if (count > most) {
        const reason = `"${program.output}" has ${count} elements, this mode ends at ${most}`
        throw new UnsupportedKernel(kernel, device.name, reason)
      }
      let known = find(kernel, program)
      const fail = (error: unknown): never => {
        if (known !== undefined) drop(known)
        if (isTyped(error)) throw error
        throw new UnsupportedKernel(kernel, device.name, `program "${program.output}": ${String(error)}`)
      }
      try {
        known ??= add(kernel, program)
        known.used = ++runs
        const result = known.compiled.run(program, operands)
        return result instanceof Promise ? result.catch(fail) : result
      } catch (error) {
        return fail(error)
      }
    },
    /** How many programs are compiled. */
    size: (): number => size,
    clear: (): void => {
      for (const known of all()) drop(known)
    }
  }
}
