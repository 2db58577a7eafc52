/** Launches by what they bind: a bind group costs the host more than the launch that it is for, so every one is kept. */
import type { Pipeline } from "./buildPipeline.ts"
import type { PooledBuffer } from "./PooledBuffer.ts"

/** Groups kept; a step of a 1B model makes some 7,000. Those of buffers that are gone are found no more, and go with the rest. */
const mostGroups = 2 ** 15

/** A pipeline with everything bound that it reads and writes. */
export interface BoundLaunch {
  /** Of the kernel, for errors. */
  readonly name: string
  readonly pipeline: GPUComputePipeline
  readonly group: GPUBindGroup
  readonly parameterBytes: number
  /** In the order in which they were given. */
  readonly buffers: readonly PooledBuffer[]
  /** What the same pipeline was launched with after it, the last time. */
  next: BoundLaunch | undefined
}

/** What is launched, with its own past. */
export interface Bindable extends Pipeline {
  readonly kernel: string
  readonly number: number
  readonly parameterBytes: number
  /** Bindings of the buffers, in the order in which they are given. */
  readonly bindings: readonly number[]
  last: BoundLaunch | undefined
}

let pipelines = 0

/** A number for a pipeline that no other has. */
export const nextPipeline = (): number => pipelines++

export type BindGroups = ReturnType<typeof makeBindGroups>

interface BindGroupsOptions {
  /** Of the parameters of every launch: binding 0, at an offset that a launch gives. */
  readonly uniforms: GPUBuffer
  /** Told of a group that the device refused. */
  readonly refused: (kernel: string, message: string) => void
}

const binds = ({ buffers }: BoundLaunch, given: readonly PooledBuffer[]): boolean => {
  for (let i = 0; i < given.length; i++) if (buffers[i] !== given[i]) return false
  return true
}

const keyOf = (number: number, given: readonly PooledBuffer[]): string => {
  let key = `${number}`
  for (const { id } of given) key += ` ${id}`
  return key
}

export const makeBindGroups = (device: GPUDevice, { uniforms, refused }: BindGroupsOptions) => {
  const known = new Map<string, BoundLaunch>()
  const make = (
    { kernel, pipeline, layout, parameterBytes, bindings }: Bindable,
    buffers: readonly PooledBuffer[]
  ): BoundLaunch => {
    device.pushErrorScope("validation")
    const group = device.createBindGroup({
      layout,
      entries: [
        { binding: 0, resource: { buffer: uniforms, size: parameterBytes } },
        ...buffers.map(({ gpu }, i) => ({ binding: bindings[i]!, resource: { buffer: gpu } }))
      ]
    })
    void device.popErrorScope().then(
      (error) => error && refused(kernel, error.message),
      () => {}
    )
    return { name: kernel, pipeline, group, parameterBytes, buffers, next: undefined }
  }
  const find = (bindable: Bindable, buffers: readonly PooledBuffer[]): BoundLaunch => {
    const key = keyOf(bindable.number, buffers)
    const found = known.get(key)
    if (found !== undefined) return found
    if (known.size >= mostGroups) known.clear()
    const bound = make(bindable, buffers)
    known.set(key, bound)
    return bound
  }
  return {
    /** The launch of a pipeline over these buffers. A step repeats the one before, so what came next then is tried first. */
    of: (bindable: Bindable, buffers: readonly PooledBuffer[]): BoundLaunch => {
      const { last } = bindable
      const guess = last?.next
      if (guess !== undefined && binds(guess, buffers)) {
        bindable.last = guess
        return guess
      }
      const bound = find(bindable, buffers)
      if (last !== undefined) last.next = bound
      bindable.last = bound
      return bound
    },
    clear: (): void => known.clear()
  }
}
