/**
 * A WebGPU that computes nothing: Dawn's `null` backend behind `navigator.gpu`, for what a step costs its host. It validates
 * every call as on a GPU. Its memory ends at 512 MiB, so buffers hold a few bytes and say the size that was asked for, as one of
 * a GPU with 4 GiB a buffer would have.
 */
import { create } from "webgpu"

/** Bytes that a buffer really has; what is written or copied ends there. */
const held = 4096
const limits = { maxBufferSize: 2 ** 32 - 2 ** 21, maxStorageBufferBindingSize: 2 ** 31 - 4 }

export interface Counts {
  /** Dispatches of compute programs. */
  launches: number
  /** Of the buffers that launches are bound to, parameters left out: what is read and written, were each of them used whole. */
  bytes: number
  bindGroups: number
  submits: number
  /** Buffers made anew. */
  buffers: number
}

interface NullGpu {
  /** Bytes of all buffers that the device holds, used or not, parameters and staging left out: the most at a time so far. */
  readonly mostHeld: () => number
  /** What `body` did; counting takes time of its own. */
  readonly count: (body: () => Promise<void>) => Promise<Counts>
}

const nothing = (): Counts => ({ launches: 0, bytes: 0, bindGroups: 0, submits: 0, buffers: 0 })
const isRead = (usage: number): boolean => (usage & 0x01) !== 0
const isUniform = (usage: number): boolean => (usage & 0x40) !== 0

const define = (target: object, name: string, value: unknown): void => {
  Object.defineProperty(target, name, { value, configurable: true, writable: true })
}

/** Replaces a method of an object, or of the class behind it; what it returns puts the old one back. */
const replace = (target: object, name: string, make: (original: never) => (...args: never[]) => unknown) => {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const original = (target as { [name: string]: unknown })[name]
  define(target, name, make(original as never))
  return () => {
    if (own) Object.defineProperty(target, name, own)
    else delete (target as { [name: string]: unknown })[name]
  }
}

interface Held {
  bytes: number
  most: number
}

/** Buffers that hold little and say much. */
const shrink = (device: GPUDevice, all: Held): void => {
  const { queue } = device
  define(device, "limits", { ...limitsOf(device), ...limits })
  const createBuffer = device.createBuffer.bind(device)
  define(device, "createBuffer", (descriptor: GPUBufferDescriptor) => {
    if (isUniform(descriptor.usage) || descriptor.mappedAtCreation) return createBuffer(descriptor)
    const buffer = createBuffer({ ...descriptor, size: Math.min(held, descriptor.size) })
    define(buffer, "size", descriptor.size)
    if (!isRead(descriptor.usage)) {
      all.bytes += descriptor.size
      all.most = Math.max(all.most, all.bytes)
      const destroy = buffer.destroy.bind(buffer)
      define(buffer, "destroy", () => {
        all.bytes -= descriptor.size
        destroy()
      })
    }
    // What is read is no number of a GPU: the backend's first program, which asks for 41 + 1, shall find it.
    const read = () => new Float32Array(descriptor.size / 4).fill(42).buffer
    if (isRead(descriptor.usage)) define(buffer, "getMappedRange", read)
    return buffer
  })
  const write = queue.writeBuffer.bind(queue) as (...args: unknown[]) => void
  define(
    queue,
    "writeBuffer",
    (buffer: GPUBuffer, offset: number, data: ArrayBufferView | ArrayBuffer, ...rest: unknown[]) => {
      if (isUniform(buffer.usage)) return write(buffer, offset, data, ...rest)
      const bytes = ArrayBuffer.isView(data)
        ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
        : new Uint8Array(data)
      write(buffer, offset, bytes.subarray(0, held - offset))
    }
  )
}

/** The limits by name: they are getters of a class. */
const limitsOf = ({ limits: all }: GPUDevice): { [name: string]: unknown } => {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(all)).filter((name) => name.startsWith("m"))
  return Object.fromEntries(names.map((name) => [name, (all as unknown as { [name: string]: unknown })[name]]))
}

/** Puts the null adapter where GPU.js looks for one. */
export const provideNullGpu = async (): Promise<NullGpu> => {
  const gpu = create(["backend=null"])
  const adapter = await gpu.requestAdapter()
  if (adapter === null) throw new Error("Dawn has no null adapter")
  const requestDevice = adapter.requestDevice.bind(adapter)
  let device: GPUDevice | undefined
  const all: Held = { bytes: 0, most: 0 }
  define(adapter, "requestDevice", async (descriptor: GPUDeviceDescriptor) => {
    device = await requestDevice(descriptor)
    shrink(device, all)
    return device
  })
  define(globalThis, "navigator", { gpu: { requestAdapter: async () => adapter, alive: gpu } })

  const bytesOf = new WeakMap<GPUBindGroup, number>()
  const count = async (body: () => Promise<void>): Promise<Counts> => {
    if (device === undefined) throw new Error("no device was asked for yet")
    const counts = nothing()
    let bound = 0
    const pass = device.createCommandEncoder().beginComputePass()
    const [passes, { queue }] = [Object.getPrototypeOf(pass) as object, device]
    const undo = [
      replace(device, "createBuffer", (original: GPUDevice["createBuffer"]) => (descriptor: GPUBufferDescriptor) => {
        counts.buffers++
        return original.call(device, descriptor)
      }),
      replace(
        device,
        "createBindGroup",
        (original: GPUDevice["createBindGroup"]) => (descriptor: GPUBindGroupDescriptor) => {
          counts.bindGroups++
          const group = original.call(device, descriptor)
          const buffers = [...descriptor.entries].map(({ resource }) => (resource as GPUBufferBinding).buffer)
          bytesOf.set(
            group,
            buffers.reduce((sum, { size, usage }) => (isUniform(usage) ? sum : sum + size), 0)
          )
          return group
        }
      ),
      replace(queue, "submit", (original: GPUQueue["submit"]) => (buffers: Iterable<GPUCommandBuffer>) => {
        counts.submits++
        original.call(queue, buffers)
      }),
      replace(
        passes,
        "setBindGroup",
        (original: (...args: unknown[]) => void) =>
          function (this: unknown, index: number, group: GPUBindGroup, ...rest: unknown[]) {
            bound = bytesOf.get(group) ?? 0
            original.call(this, index, group, ...rest)
          }
      ),
      replace(
        passes,
        "dispatchWorkgroups",
        (original: (...args: unknown[]) => void) =>
          function (this: unknown, ...groups: unknown[]) {
            counts.launches++
            counts.bytes += bound
            original.call(this, ...groups)
          }
      )
    ]
    try {
      await body()
    } finally {
      for (const each of undo) each()
    }
    return counts
  }
  return { count, mostHeld: () => all.most }
}
