/** The tensors of an exported model, each made when its turn to be written comes. */
import type { Safetensors, TensorStore } from "@speedq/formats"
import { type Shape, sizeOf } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { DeployedModel } from "../model/deployedModel.ts"
import type { SourceModel } from "../model/SourceModel.ts"
import type { Difference } from "./Difference.ts"

export interface Entries {
  readonly sources: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
  /** How far numbers as written are from those of the model; known when everything is written. */
  readonly difference: () => Difference
}

/** What entries are made of. */
export interface ExportParts {
  readonly source: SourceModel
  /** The checkpoint that the source was loaded from, where something of it is written as it was stored. */
  readonly store: TensorStore | undefined
  readonly deployed: DeployedModel
}

const isResized = ({ weights }: SourceModel, parameter: string, shape: Shape): boolean =>
  sizeOf(weights[parameter]!.shape) !== sizeOf(shape)

/** Whether a parameter was resized for another tile size when it was loaded, as positions are. */
export const hasResized = (source: SourceModel): boolean =>
  [...modelTensors(source.directory.config)].some(([parameter, shape]) => isResized(source, parameter, shape))

/** What was resized is written as the checkpoint has it; undefined for everything else. */
export const asStored = (
  { source, store }: ExportParts,
  parameter: string,
  shape: Shape,
  name: string
): Safetensors.TensorSource | undefined => {
  if (store === undefined || !isResized(source, parameter, shape)) return undefined
  // A packed container has the parameter's own name, whatever its model calls it elsewhere.
  const stored = [...(source.stored.get(parameter) ?? []), parameter].find((known) => store.tensors.has(known))!
  const { dtype } = store.tensors.get(stored)!
  return { name, dtype, shape, data: Effect.sync(() => store.read(stored)) }
}
