/**
 * The tape of reverse-mode differentiation: which call made which tensor, and what its gradient needs.
 * Saved tensors are aliases owned by the tape, so the forward pass may release everything else as it goes.
 */
import type { InputSpec } from "../core/Computation.ts"
import { NotDifferentiable } from "../core/Errors.ts"
import type { Kernel, Tensors, Wanted } from "../core/Kernel.ts"
import type { Shape } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { unscoped } from "../memory/scope.ts"

/** A value on the tape; gradients are summed under it. */
export interface Variable {
  readonly shape: Shape
}

/** What a node holds until its gradient was computed. */
interface Saved {
  readonly release: () => void
}

/** A value that is not kept: whoever saves it asks for it in the backward pass. */
export interface Remade extends Saved {
  /** Valid until `release`. */
  readonly value: () => Tensor
}

/** One recorded call. `backward` turns gradients of the outputs into gradients of the inputs; null where none is wanted. */
interface Node {
  readonly name: string
  readonly inputs: readonly (Variable | undefined)[]
  readonly outputs: readonly Variable[]
  readonly backward: (cotangents: readonly (Tensor | undefined)[]) => readonly (Tensor | undefined)[]
  readonly saved: readonly Saved[]
}

/** Whether no gradient ever flows into this operand. */
const isConstant = ({ constant, updated, dtypes }: InputSpec): boolean =>
  constant === true || updated === true || dtypes[0] === "i32"

export class Tape {
  readonly nodes: Node[] = []
  /** Whether it is run backwards as soon as it is recorded: nothing is worth making again. */
  readonly brief: boolean
  private readonly variables = new Map<Tensor, Variable>()
  private readonly remade = new Map<Tensor, Remade>()

  constructor({ brief = false }: { readonly brief?: boolean } = {}) {
    this.brief = brief
  }

  /** Makes `tensor` a variable: what is computed from it is recorded. */
  watch(tensor: Tensor): Variable {
    const known = this.variables.get(tensor)
    if (known !== undefined) return known
    const variable = { shape: tensor.shape }
    this.variables.set(tensor, variable)
    return variable
  }

  variableOf(tensor: Tensor | undefined): Variable | undefined {
    return tensor === undefined ? undefined : this.variables.get(tensor)
  }

  /** Adds a call with its own backward; `save` lists tensors to keep until then. */
  record(
    name: string,
    inputs: readonly (Tensor | undefined)[],
    outputs: readonly Tensor[],
    save: readonly (Tensor | undefined)[],
    backward: (
      cotangents: readonly (Tensor | undefined)[],
      saved: readonly (Tensor | undefined)[]
    ) => readonly (Tensor | undefined)[]
  ): void {
    const variables = inputs.map((input) => this.variableOf(input))
    if (variables.every((variable) => variable === undefined)) return
    const { values, owned } = this.save(save)
    this.nodes.push({
      name,
      inputs: variables,
      outputs: outputs.map((output) => this.watch(output)),
      backward: (cotangents) => backward(cotangents, values()),
      saved: owned
    })
  }

  /** Adds a value that is made again when it is read; `make` gets what `inputs` are then. */
  recordRemade(
    name: string,
    inputs: readonly Tensor[],
    output: Tensor,
    make: (
      saved: () => readonly (Tensor | undefined)[]
    ) => Remade & { readonly gradients: (cotangent: Tensor) => readonly (Tensor | undefined)[] }
  ): void {
    const { values, owned } = this.save(inputs)
    const again = make(values)
    this.remade.set(output, again)
    this.nodes.push({
      name,
      inputs: inputs.map((input) => this.variableOf(input)),
      outputs: [this.watch(output)],
      backward: ([cotangent]) => (cotangent === undefined ? [] : again.gradients(cotangent)),
      saved: [again, ...owned]
    })
  }

  /** Aliases of tensors, and those that are made again as what makes them, which their own node owns. */
  private save(tensors: readonly (Tensor | undefined)[]) {
    const owned: Tensor[] = []
    const sources = unscoped(() =>
      tensors.map((tensor) => {
        if (tensor === undefined) return undefined
        const again = this.remade.get(tensor)
        if (again !== undefined) return again
        const alias = tensor.alias()
        owned.push(alias)
        return { value: () => alias }
      })
    )
    return { owned, values: () => sources.map((source) => source?.value()) }
  }

  recordKernel<I extends string, O extends string, A extends object>(
    kernel: Kernel<I, O, A>,
    inputs: Tensors<I>,
    outputs: { readonly [K in O]: Tensor },
    attributes: A
  ): void {
    const inputNames = Object.keys(kernel.inputs) as I[]
    const operands = inputNames.map((name) => inputs[name])
    if (operands.every((tensor) => this.variableOf(tensor) === undefined)) return
    const { gradient } = kernel
    if (gradient === undefined) {
      throw new NotDifferentiable(kernel.name, "has no gradient; call it inside noGrad() or on untracked tensors")
    }
    const wanted = Object.fromEntries(
      inputNames.map((name) => [name, this.variableOf(inputs[name]) !== undefined])
    ) as Wanted<I>
    for (const name of inputNames) {
      if (wanted[name] && isConstant(kernel.inputs[name])) {
        throw new NotDifferentiable(kernel.name, `operand "${name}" has no gradient; give it an untracked tensor`)
      }
    }
    const saved = typeof gradient.saves === "function" ? gradient.saves(wanted) : gradient.saves
    const saves: readonly (I | O)[] = [...(saved.inputs ?? []), ...(saved.outputs ?? [])]
    const everything: Tensors<I | O> = { ...inputs, ...outputs }
    const shapesOf = (tensors: Tensors<I | O>, names: readonly (I | O)[]) =>
      Object.fromEntries(names.flatMap((name) => (tensors[name] ? [[name, tensors[name].shape]] : [])))
    const shapes = {
      inputs: shapesOf(inputs as Tensors<I | O>, inputNames),
      outputs: shapesOf(outputs as Tensors<I | O>, kernel.outputs)
    }
    this.record(
      kernel.name,
      operands,
      kernel.outputs.map((name) => outputs[name]),
      saves.map((name) => everything[name]),
      (cotangents, kept) => {
        const named = Object.fromEntries(kernel.outputs.map((name, index) => [name, cotangents[index]])) as Tensors<O>
        for (const name of gradient.auxiliary ?? []) {
          if (named[name]) throw new NotDifferentiable(kernel.name, `output "${name}" carries no gradient`)
        }
        const gradients = gradient.backward({
          saved: Object.fromEntries(saves.map((name, index) => [name, kept[index]])) as Tensors<I | O>,
          cotangents: named,
          wanted,
          shapes: shapes as Parameters<typeof gradient.backward>[0]["shapes"],
          attributes
        })
        return inputNames.map((name) => gradients[name])
      }
    )
  }

  /** Releases everything still saved. */
  clear(): void {
    for (const node of this.nodes) for (const tensor of node.saved) tensor.release()
    this.nodes.length = 0
    this.variables.clear()
    this.remade.clear()
  }
}

let active: Tape | undefined

export const currentTape = (): Tape | undefined => active

/** Runs `body` with `tape` recording; undefined records nothing. */
export const withTape = <T>(tape: Tape | undefined, body: () => T): T => {
  const outer = active
  active = tape
  try {
    return body()
  } finally {
    active = outer
  }
}

/** Runs `body` without recording: its results are constants for differentiation. */
export const noGrad = <T>(body: () => T): T => withTape(undefined, body)

/** Whether a gradient may be asked of what is computed from `x` now. */
export const isTracked = (x: Tensor): boolean => active?.variableOf(x) !== undefined
