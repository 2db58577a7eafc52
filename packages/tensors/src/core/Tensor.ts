/** Tensors: a shape over reference-counted storage of one backend. Row-major; reshaping is a view. */
import { adopt } from "../memory/owner.ts"
import type { Backend, Source } from "./Backend.ts"
import { bytesOfArray, type DType, elementBytes, type HostArray, viewAs } from "./DType.ts"
import { ReleasedTensor, ShapeMismatch } from "./Errors.ts"
import type { Handle } from "./Operand.ts"
import { type Shape, sizeOf } from "./Shape.ts"

/** Storage shared by the tensors that view it; freed when the last of them is released. */
interface Storage {
  readonly backend: Backend
  readonly handle: Handle
  references: number
}

export class Tensor {
  readonly shape: Shape
  readonly dtype: DType
  readonly storage: Storage
  released = false

  constructor(storage: Storage, shape: Shape) {
    this.storage = storage
    this.shape = shape
    this.dtype = storage.handle.dtype
    storage.references++
    adopt(this)
  }

  get backend(): Backend {
    return this.storage.backend
  }

  get size(): number {
    return sizeOf(this.shape)
  }

  /** Another tensor over the same storage, which lives until both are released. */
  alias(): Tensor {
    this.assertLive("alias")
    return new Tensor(this.storage, this.shape)
  }

  /** Gives the storage back when no other view holds it. Releasing twice is allowed and does nothing. */
  release(): void {
    if (this.released) return
    this.released = true
    if (--this.storage.references === 0) this.storage.backend.release(this.storage.handle)
  }

  /** The elements, copied to the host once all earlier work is done; bf16 and f16 as raw patterns. */
  async read(): Promise<HostArray> {
    this.assertLive("read")
    const bytes = await this.backend.read(this.storage.handle)
    const copy = new Uint8Array(this.size * elementBytes(this.dtype))
    copy.set(bytes.subarray(0, copy.length)) // a view may show the leading rows only
    return viewAs(this.dtype, copy)
  }

  /** The only element of a tensor of size 1. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeMismatch("item", "tensor", "one element", this.shape)
    return (await this.read())[0]!
  }

  assertLive(use: string, operand = "tensor"): void {
    if (this.released) throw new ReleasedTensor(use, operand, this.shape)
  }
}

/** A new tensor with the given numbers (raw patterns for bf16 and f16). Raises ShapeMismatch when the counts differ. */
export const tensor = (backend: Backend, data: Source, shape: Shape, dtype: DType = "f32"): Tensor => {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeMismatch("tensor", "data", `${data.length} elements as given`, shape)
  }
  return generate(backend, { shape, dtype }, (bytes) => {
    const target = viewAs(dtype, bytes)
    if (Array.isArray(data) || data.constructor !== target.constructor) target.set(data)
    else bytes.set(bytesOfArray(data as HostArray))
  })
}

/** A new tensor whose bytes `write` produces, in the storage itself where the backend allows it: no second copy of a checkpoint. */
export const generate = (
  backend: Backend,
  spec: { readonly shape: Shape; readonly dtype: DType },
  write: (bytes: Uint8Array) => void
): Tensor => {
  const handle = backend.allocate(spec)
  try {
    backend.fill(handle, write)
  } catch (error) {
    backend.release(handle)
    throw error
  }
  return new Tensor({ backend, handle, references: 0 }, spec.shape)
}

/** A new tensor of zeros. */
export const zeros = (backend: Backend, shape: Shape, dtype: DType = "f32"): Tensor =>
  new Tensor({ backend, handle: backend.allocate({ shape, dtype }, { zero: true }), references: 0 }, shape)
