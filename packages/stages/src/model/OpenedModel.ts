/** A model that is ready to be asked, whatever form its weights are in. */
import type { LoadedWeights } from "@speedq/exports"
import type { AnsweringModel } from "@speedq/vlm-model"

export interface OpenedModel extends AnsweringModel, Pick<LoadedWeights, "storage" | "bytes" | "int8"> {}
