/**
 * Kernels as programs of one GPU.js mode, in the order of the calls. A call runs at once where its programs do; where one answers
 * later, what follows waits in a queue. What fails there is raised by the next `run` or `read`, and again by every use of a tensor
 * that was not computed.
 */
import type { Backend } from "../../core/Backend.ts"
import type { AnyComputation } from "../../core/Computation.ts"
import { elementBytes } from "../../core/DType.ts"
import { BackendUnavailable, TensorTooLarge, UnsupportedKernel } from "../../core/Errors.ts"
import type { Handle, KernelCall, Operand } from "../../core/Operand.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Device } from "./Device.ts"
import type { GpujsProgram } from "./GpujsBody.ts"
import { makeProgramCache } from "./programCache.ts"
import { toBytes, toNumbers } from "./storedValues.ts"
import { isPacked } from "./webgpu/packing.ts"
import type { LaunchStep, WgslLaunch, WgslTarget } from "./webgpu/WebgpuBody.ts"

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

const shapesOf = (operands: KernelCall["inputs"]): { [name: string]: Shape } => {
  const shapes: { [name: string]: Shape } = {}
  for (const name in operands) if (operands[name]) shapes[name] = operands[name].shape
  return shapes
}

/** A backend over the memory and programs of one mode. */
export const makeQueuedBackend = <S>(device: Device<S>): Backend => {
  const programs = makeProgramCache(device)
  let tail: Promise<void> = Promise.resolve()
  /** Pieces of work that are not done. */
  let waiting = 0
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
    device.assertThere?.()
  }
  /** Does `work`, which does not throw, once everything before it is done: at once where nothing waits. */
  const inOrder = (work: () => void | Promise<void>): void => {
    const begun = waiting === 0 ? work() : tail.then(work)
    if (!(begun instanceof Promise)) return
    waiting++
    tail = begun.then(() => void waiting--)
  }
  /** The same work, whose error is raised later. */
  const attempt = (work: () => void) => () => {
    try {
      work()
    } catch (error) {
      failure ??= error as Error
    }
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
    stored.values ??= device.zeros(Math.max(1, sizeOf(stored.shape)), stored.dtype)
    return stored.values
  }
  const replace = (stored: Stored<S>, values: S | undefined) => {
    if (stored.values !== undefined && stored.values !== values) device.release(stored.values)
    stored.values = values
  }

  /** What the host writes for a tensor, and how it goes to the device: its bytes where they lie there as they are, else as numbers. */
  const valuesIn = (stored: Stored<S>, write: (bytes: Uint8Array) => void): (() => S) => {
    const { dtype, shape } = stored
    const words = new Uint8Array(4 * Math.ceil(stored.bytes / 4))
    const written = words.subarray(0, stored.bytes)
    write(written)
    const { packed } = device
    if (packed !== undefined && isPacked(dtype)) return () => packed.upload(dtype, sizeOf(shape), words)
    const numbers = toNumbers(dtype, written)
    if (dtype === "i32") stored.integers = Int32Array.from(numbers)
    return () => device.upload(numbers)
  }
  /** The bytes of a tensor as they are now. */
  const bytesOf = async (stored: Stored<S>): Promise<Uint8Array> => {
    const { dtype, shape } = stored
    if (device.packed !== undefined && isPacked(dtype)) {
      return (await device.packed.download(valuesOf(stored))).subarray(0, stored.bytes)
    }
    const numbers = await device.download(valuesOf(stored))
    return toBytes(dtype, numbers.subarray(0, sizeOf(shape)))
  }

  /** Runs the programs of one call; a name stands for what was computed last under it. */
  const execute = (kernel: AnyComputation, call: KernelCall, body: readonly LaunchStep[]): void | Promise<void> => {
    const intermediates = new Map<string, S>()
    const operandUnder = (name: string): Operand | undefined => call.outputs[name] ?? call.inputs[name]
    const valuesUnder = (name: string): S => {
      const operand = operandUnder(name)
      const values = operand ? valuesOf(storedOf(operand)) : intermediates.get(name)
      if (values === undefined) throw new UnsupportedKernel(kernel.name, device.name, `no program computes "${name}"`)
      return values
    }
    const keep = (name: string, computed: S) => {
      const operand = operandUnder(name)
      if (operand) return replace(storedOf(operand), computed)
      const previous = intermediates.get(name)
      if (previous !== undefined && previous !== computed) device.release(previous)
      intermediates.set(name, computed)
    }
    /** The same for what a program computed, which is f32. */
    const keepComputed = (name: string, computed: S): void | Promise<void> => {
      const dtype = operandUnder(name)?.dtype
      if (device.packed === undefined || dtype === undefined || !isPacked(dtype)) return keep(name, computed)
      const packed = device.packed.pack(kernel.name, dtype, computed)
      if (packed instanceof Promise) return packed.then((values) => keep(name, values))
      keep(name, packed)
    }
    const compute = (program: GpujsProgram): void | Promise<void> => {
      const { output, reads } = program
      if (sizeOf(program.extent) === 0) {
        if (operandUnder(output) === undefined) keep(output, device.zeros(1))
        return
      }
      const computed = programs.run(kernel.name, program, reads.map(valuesUnder))
      if (computed instanceof Promise) return computed.then((values) => keepComputed(output, values))
      return keepComputed(output, computed)
    }
    /** Storage to write into: what is there, or new. */
    const targetUnder = ({ name, size }: WgslTarget): S => {
      const operand = operandUnder(name)
      if (call.inputs[name] !== undefined && call.outputs[name] === undefined) return valuesUnder(name)
      const there = operand ? storedOf(operand).values : intermediates.get(name)
      if (there !== undefined) return there
      const target = operand ? device.wgsl!.take(sizeOf(operand.shape), operand.dtype) : device.wgsl!.take(size!, "f32")
      keep(name, target)
      return target
    }
    const launch = (step: WgslLaunch): void | Promise<void> => {
      if (sizeOf(step.workgroups) === 0) {
        for (const { name, size } of step.writes) if (!operandUnder(name)) keep(name, device.zeros(Math.max(1, size!)))
        return
      }
      return device.wgsl!.run(kernel.name, step, step.reads.map(valuesUnder), step.writes.map(targetUnder))
    }
    const runFrom = (first: number): void | Promise<void> => {
      for (let i = first; i < body.length; i++) {
        const step = body[i]!
        const later = "program" in step ? launch(step) : compute(step)
        if (later instanceof Promise) return later.then(() => runFrom(i + 1))
      }
    }
    const end = () => {
      for (const values of intermediates.values()) device.release(values)
    }
    const fail = (error: unknown) => {
      const cause = error as Error
      failure ??= cause
      for (const operand of Object.values(call.outputs)) storedOf(operand).failure = cause
      for (const [name, operand] of Object.entries(call.inputs)) {
        if (kernel.inputs[name]?.updated) storedOf(operand).failure = cause
      }
    }
    try {
      const later = runFrom(0)
      if (later instanceof Promise) return later.catch(fail).finally(end)
    } catch (error) {
      fail(error)
    }
    end()
  }

  const backend: Backend = {
    name: device.name,
    kind: "gpujs",
    ...(device.hardware ? { hardware: device.hardware } : {}),
    arithmetic: "f32",
    withArithmetic: (arithmetic) => {
      if (arithmetic === "f32") return backend
      throw new BackendUnavailable(device.name, `it does not multiply in ${arithmetic}; use the native backend`)
    },
    allocate: (spec): Stored<S> => {
      assertOpen()
      const size = sizeOf(spec.shape)
      const each = device.elementBytes(spec.dtype)
      const most = device.maxElements(spec.dtype)
      if (size > most) throw new TensorTooLarge(device.name, spec.shape, each * size, each * most)
      buffers++
      bytes += each * size
      // What is not written yet reads as zeros, asked for or not.
      return {
        dtype: spec.dtype,
        shape: spec.shape,
        bytes: size * elementBytes(spec.dtype),
        values: undefined,
        queued: false,
        integers: none,
        failure: undefined
      }
    },
    fill: (handle, write) => {
      assertOpen()
      const stored = handle as Stored<S>
      const values = valuesIn(stored, write)
      const store = () => {
        stored.failure = undefined
        if (handle.bytes > 0) replace(stored, values())
      }
      if (stored.queued) inOrder(attempt(store))
      else store()
    },
    read: async (handle) => {
      assertOpen()
      const stored = handle as Stored<S>
      return new Promise<Uint8Array>((resolve, reject) =>
        inOrder(() => {
          try {
            raiseFailure()
            resolve(bytesOf(stored))
          } catch (error) {
            reject(error)
          }
        })
      )
    },
    release: (handle) => {
      if (closed) return
      const stored = handle as Stored<S>
      buffers--
      bytes -= device.elementBytes(handle.dtype) * sizeOf(handle.shape)
      if (stored.queued) inOrder(attempt(() => replace(stored, undefined)))
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
      const body =
        device.wgsl && kernel.webgpu
          ? kernel.webgpu.launches(geometry, call.attributes, device.wgsl.matrices)
          : kernel.gpujs.programs(geometry, call.attributes)
      for (const name in call.outputs) storedOf(call.outputs[name]!).queued = true
      for (const name in call.inputs) {
        const operand = call.inputs[name]
        if (operand === undefined) continue
        storedOf(operand).queued = true
        if (kernel.inputs[name]?.updated && sizeOf(operand.shape) !== sizeOf(operand.handle.shape)) {
          const reason = `"${name}" is a view of part of a tensor, and results replace whole tensors; use a copy`
          throw new UnsupportedKernel(kernel.name, device.name, reason)
        }
      }
      inOrder(() => execute(kernel, call, body))
      if (waiting === 0) raiseFailure()
    },
    trim: () => device.trim(),
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
