/**
 * Kernels as programs of one GPU.js mode. Calls are queued and run in order, because the modes with a GPU answer later; what
 * fails there is raised by the next `run` or `read`, and again by every use of a tensor that was not computed.
 */
import type { Backend } from "../../core/Backend.ts"
import type { AnyComputation } from "../../core/Computation.ts"
import { elementBytes } from "../../core/DType.ts"
import { BackendUnavailable, OutOfMemory, UnsupportedKernel } from "../../core/Errors.ts"
import type { Handle, KernelCall, Operand } from "../../core/Operand.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Device } from "./Device.ts"
import type { GpujsProgram } from "./GpujsBody.ts"
import { makeProgramCache } from "./programCache.ts"
import { toBytes, toNumbers } from "./storedValues.ts"

/** A piece of device memory; `values` is absent until something is written. */
interface Stored<S> extends Handle {
  values: S | undefined
  /** Queued work reads or writes it. */
  queued: boolean
  /** What an i32 tensor was filled with; kernels compute none. */
  integers: Int32Array
  failure: Error | undefined
}

const none = new Int32Array(0)

const shapesOf = (operands: KernelCall["inputs"]): { [name: string]: Shape } =>
  Object.fromEntries(Object.entries(operands).flatMap(([name, operand]) => (operand ? [[name, operand.shape]] : [])))

/** A backend over the memory and programs of one mode. */
export const makeQueuedBackend = <S>(device: Device<S>): Backend => {
  const programs = makeProgramCache(device)
  let tail: Promise<void> = Promise.resolve()
  let failure: Error | undefined
  let closed = false
  let buffers = 0
  let bytes = 0

  const raiseFailure = () => {
    const raised = failure ?? device.takeFailure()
    failure = undefined
    if (raised) throw raised
  }
  const assertOpen = () => {
    if (closed) throw new BackendUnavailable(device.name, "it was closed")
  }
  const enqueue = (work: () => Promise<void>): void => {
    tail = tail.then(work).catch((error: Error) => {
      failure ??= error
    })
  }
  const storedOf = ({ handle }: Operand) => handle as Stored<S>
  const integersOf = (operands: KernelCall["inputs"]): { readonly [name: string]: Int32Array } =>
    Object.fromEntries(
      Object.entries(operands).flatMap(([name, operand]) =>
        operand?.dtype === "i32" ? [[name, storedOf(operand).integers.subarray(0, sizeOf(operand.shape))]] : []
      )
    )
  const valuesOf = (stored: Stored<S>): S => {
    if (stored.failure) throw stored.failure
    stored.values ??= device.upload(new Float32Array(Math.max(1, sizeOf(stored.shape))))
    return stored.values
  }
  const replace = (stored: Stored<S>, values: S | undefined) => {
    if (stored.values !== undefined) device.release(stored.values)
    stored.values = values
  }

  /** Runs the programs of one call; a name stands for what was computed last under it. */
  const execute = async (kernel: AnyComputation, call: KernelCall, body: readonly GpujsProgram[]) => {
    const results: readonly Operand[] = Object.values(call.outputs)
    const updated = Object.entries(kernel.inputs).flatMap(([name, spec]) => {
      const operand = call.inputs[name]
      return spec.updated && operand ? [operand] : []
    })
    const intermediates = new Map<string, S>()
    const valuesUnder = (name: string): S => {
      const operand = call.outputs[name] ?? call.inputs[name]
      const values = operand ? valuesOf(storedOf(operand)) : intermediates.get(name)
      if (values === undefined) throw new UnsupportedKernel(kernel.name, device.name, `no program computes "${name}"`)
      return values
    }
    try {
      for (const program of body) {
        const operand = call.outputs[program.output] ?? call.inputs[program.output]
        const empty = sizeOf(program.extent) === 0
        if (operand && empty) continue
        const computed = empty
          ? device.upload(new Float32Array(1))
          : await programs.run(kernel.name, program, program.reads.map(valuesUnder))
        if (operand) replace(storedOf(operand), computed)
        else {
          const previous = intermediates.get(program.output)
          if (previous !== undefined) device.release(previous)
          intermediates.set(program.output, computed)
        }
      }
    } catch (error) {
      const cause = error as Error
      failure ??= cause
      for (const operand of [...results, ...updated]) storedOf(operand).failure = cause
    } finally {
      for (const values of intermediates.values()) device.release(values)
    }
  }

  const backend: Backend = {
    name: device.name,
    kind: "gpujs",
    arithmetic: "f32",
    withArithmetic: (arithmetic) => {
      if (arithmetic === "f32") return backend
      throw new BackendUnavailable(
        device.name,
        `it multiplies in f32 alone, not in ${arithmetic}; use the native backend`
      )
    },
    allocate: (spec): Stored<S> => {
      assertOpen()
      const size = sizeOf(spec.shape)
      if (size > device.maxElements) {
        throw new OutOfMemory(device.name, device.elementBytes * size, bytes, device.elementBytes * device.maxElements)
      }
      buffers++
      bytes += device.elementBytes * size
      // What is not written yet reads as zeros, asked for or not.
      return {
        ...spec,
        bytes: size * elementBytes(spec.dtype),
        values: undefined,
        queued: false,
        integers: none,
        failure: undefined
      }
    },
    fill: (handle, write) => {
      const stored = handle as Stored<S>
      const buffer = new Uint8Array(handle.bytes)
      write(buffer)
      const numbers = toNumbers(handle.dtype, buffer)
      if (handle.dtype === "i32") stored.integers = Int32Array.from(numbers)
      const store = () => {
        stored.failure = undefined
        if (numbers.length > 0) replace(stored, device.upload(numbers))
      }
      if (stored.queued) enqueue(async () => store())
      else store()
    },
    read: async (handle) => {
      assertOpen()
      const stored = handle as Stored<S>
      const numbers = tail.then(() => {
        raiseFailure()
        return device.download(valuesOf(stored))
      })
      tail = numbers.then(
        () => undefined,
        () => undefined
      )
      return toBytes(handle.dtype, (await numbers).subarray(0, sizeOf(handle.shape)))
    },
    release: (handle) => {
      if (closed) return
      const stored = handle as Stored<S>
      buffers--
      bytes -= device.elementBytes * sizeOf(handle.shape)
      if (stored.queued) enqueue(async () => replace(stored, undefined))
      else replace(stored, undefined)
    },
    run: (kernel, call) => {
      assertOpen()
      raiseFailure()
      if (kernel.gpujs === undefined) {
        throw new UnsupportedKernel(kernel.name, device.name, "it has no GPU.js body; use the native backend")
      }
      const geometry = { inputs: shapesOf(call.inputs), outputs: shapesOf(call.outputs) }
      if (kernel.gpujs.check) kernel.gpujs.check(integersOf(call.inputs), geometry, call.attributes)
      const body = kernel.gpujs.programs(geometry, call.attributes)
      for (const [name, operand] of Object.entries({ ...call.inputs, ...call.outputs })) {
        if (operand === undefined) continue
        storedOf(operand).queued = true
        if (kernel.inputs[name]?.updated && sizeOf(operand.shape) !== sizeOf(operand.handle.shape)) {
          const reason = `"${name}" is a view of part of a tensor, and results replace whole tensors; use a copy`
          throw new UnsupportedKernel(kernel.name, device.name, reason)
        }
      }
      enqueue(() => execute(kernel, call, body))
    },
    trim: () => {},
    usage: () => ({ buffers, bytes, peakBytes: Math.max(bytes, device.usage().peakBytes) }),
    close: async () => {
      closed = true
      await tail
      programs.clear()
      await device.close()
    }
  }
  return backend
}
