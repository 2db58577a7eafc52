/** What can go wrong in tensor code. Plain errors with a `_tag`: callers at the Effect boundary turn them into typed failures. */
import type { DType } from "./DType.ts"
import { formatShape, type Shape } from "./Shape.ts"

abstract class TensorError extends Error {
  abstract readonly _tag: string
  override get name(): string {
    return this._tag
  }
}

/** An operand's shape does not fit the others. */
export class ShapeMismatch extends TensorError {
  readonly _tag = "ShapeMismatch"
  readonly kernel: string
  readonly operand: string
  readonly expected: string
  readonly actual: Shape
  constructor(kernel: string, operand: string, expected: string, actual: Shape) {
    super(`${kernel}: operand "${operand}" has shape ${formatShape(actual)}, expected ${expected}`)
    this.kernel = kernel
    this.operand = operand
    this.expected = expected
    this.actual = actual
  }
}

/** An operand's element type is not one that the kernel reads. */
export class DTypeMismatch extends TensorError {
  readonly _tag = "DTypeMismatch"
  readonly kernel: string
  readonly operand: string
  readonly expected: readonly DType[]
  readonly actual: DType
  readonly shape: Shape
  constructor(kernel: string, operand: string, expected: readonly DType[], actual: DType, shape: Shape) {
    super(
      `${kernel}: operand "${operand}" ${formatShape(shape)} is ${actual}, expected ${expected.join(" or ")}; convert it with cast()`
    )
    this.kernel = kernel
    this.operand = operand
    this.expected = expected
    this.actual = actual
    this.shape = shape
  }
}

/** A required operand was not given. */
export class MissingOperand extends TensorError {
  readonly _tag = "MissingOperand"
  readonly kernel: string
  readonly operand: string
  constructor(kernel: string, operand: string) {
    super(`${kernel}: operand "${operand}" is required`)
    this.kernel = kernel
    this.operand = operand
  }
}

/** A tensor was used after its release. */
export class ReleasedTensor extends TensorError {
  readonly _tag = "ReleasedTensor"
  readonly kernel: string
  readonly operand: string
  readonly shape: Shape
  constructor(kernel: string, operand: string, shape: Shape) {
    super(
      `${kernel}: operand "${operand}" ${formatShape(shape)} was already released; keep it by returning it from its scope`
    )
    this.kernel = kernel
    this.operand = operand
    this.shape = shape
  }
}

/** An operand, and where it lives. */
interface PlacedOperand {
  readonly operand: string
  readonly shape: Shape
  readonly backend: string
}

/** Operands live on different backends. */
export class ForeignTensor extends TensorError {
  readonly _tag = "ForeignTensor"
  readonly kernel: string
  readonly operand: string
  readonly expected: PlacedOperand
  readonly actual: PlacedOperand
  constructor(kernel: string, expected: PlacedOperand, actual: PlacedOperand) {
    const place = ({ operand, shape, backend }: PlacedOperand) =>
      `"${operand}" ${formatShape(shape)} lives on backend ${backend}`
    super(`${kernel}: operand ${place(actual)}, but ${place(expected)}; move it with read and upload`)
    this.kernel = kernel
    this.operand = actual.operand
    this.expected = expected
    this.actual = actual
  }
}

/** An attribute of a kernel is out of its range. */
export class InvalidAttribute extends TensorError {
  readonly _tag = "InvalidAttribute"
  readonly kernel: string
  readonly attribute: string
  constructor(kernel: string, attribute: string, value: unknown, expected: string) {
    super(`${kernel}: attribute "${attribute}" is ${String(value)}, expected ${expected}`)
    this.kernel = kernel
    this.attribute = attribute
  }
}

/** An index operand names a row that does not exist, or one row twice where rows must differ. */
export class InvalidIndex extends TensorError {
  readonly _tag = "InvalidIndex"
  readonly kernel: string
  readonly operand: string
  readonly position: number
  readonly value: number
  constructor(kernel: string, operand: string, position: number, value: number, expected: string) {
    super(`${kernel}: operand "${operand}" holds ${value} at position ${position}, expected ${expected}`)
    this.kernel = kernel
    this.operand = operand
    this.position = position
    this.value = value
  }
}

/** A backend has no body for a kernel, or cannot run it at this size. */
export class UnsupportedKernel extends TensorError {
  readonly _tag = "UnsupportedKernel"
  readonly kernel: string
  readonly backend: string
  constructor(kernel: string, backend: string, reason: string) {
    super(`${kernel}: backend ${backend} cannot run it: ${reason}`)
    this.kernel = kernel
    this.backend = backend
  }
}

/** A tensor is larger than the largest that a backend holds. */
export class TensorTooLarge extends TensorError {
  readonly _tag = "TensorTooLarge"
  readonly backend: string
  readonly shape: Shape
  readonly bytes: number
  readonly mostBytes: number
  constructor(backend: string, shape: Shape, bytes: number, mostBytes: number) {
    super(
      `backend ${backend} binds no tensor ${formatShape(shape)} of ${bytes} bytes: its largest buffer has ${mostBytes}; use a smaller batch or shorter sequences, or the native backend`
    )
    this.backend = backend
    this.shape = shape
    this.bytes = bytes
    this.mostBytes = mostBytes
  }
}

/** A backend cannot be started as asked; nothing else is chosen silently. */
export class BackendUnavailable extends TensorError {
  readonly _tag = "BackendUnavailable"
  readonly backend: string
  constructor(backend: string, reason: string) {
    super(`backend ${backend} is not available: ${reason}`)
    this.backend = backend
  }
}

/** The device went away while it was used: its driver was reset, it was taken out, or its memory ran over. What lay on it is gone. */
export class DeviceLost extends TensorError {
  readonly _tag = "DeviceLost"
  readonly backend: string
  /** What the driver says of it; empty where it says nothing. */
  readonly reason: string
  constructor(backend: string, reason: string) {
    const said = reason === "" ? "" : ` (${reason.trim()})`
    super(
      `backend ${backend} lost its device${said}, and with it every tensor there; another backend, or this one opened again, goes on from what is saved`
    )
    this.backend = backend
    this.reason = reason
  }
}

/** The backend has no room for another tensor. */
export class OutOfMemory extends TensorError {
  readonly _tag = "OutOfMemory"
  readonly backend: string
  readonly requestedBytes: number
  readonly liveBytes: number
  /** Undefined where a device does not say how much memory it has. */
  readonly budgetBytes: number | undefined
  constructor(backend: string, requestedBytes: number, liveBytes: number, budgetBytes: number | undefined) {
    const [live, fix] =
      budgetBytes === undefined
        ? [`${liveBytes}`, "a smaller batch or rematerialization"]
        : [`${liveBytes} of ${budgetBytes}`, "a smaller batch, rematerialization, or a larger memory limit"]
    super(`backend ${backend} cannot allocate ${requestedBytes} bytes: ${live} bytes are live; use ${fix}`)
    this.backend = backend
    this.requestedBytes = requestedBytes
    this.liveBytes = liveBytes
    this.budgetBytes = budgetBytes
  }
}

/** A kernel failed while it ran: a defect of this package or of the machine, never of the operands. */
export class KernelFailure extends TensorError {
  readonly _tag = "KernelFailure"
  readonly kernel: string
  constructor(kernel: string, reason: string) {
    super(`${kernel}: failed while running: ${reason}; please report it with the shapes of its operands`)
    this.kernel = kernel
  }
}

/** Automatic differentiation was asked for something that has no gradient. */
export class NotDifferentiable extends TensorError {
  readonly _tag = "NotDifferentiable"
  readonly kernel: string
  constructor(kernel: string, reason: string) {
    super(`${kernel}: ${reason}`)
    this.kernel = kernel
  }
}
