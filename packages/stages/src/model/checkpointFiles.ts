/** Files of the checkpoint in a model directory: safetensors, or else what save_pretrained wrote as PyTorch pickles. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { torchFiles } from "../reference/torchCheckpoint.ts"

interface CheckpointFiles {
  readonly kind: "safetensors" | "torch"
  /** The one file, or the shards of the index, there or not. */
  readonly files: readonly string[]
}

/** Empty where there is no checkpoint. Raises TorchFileInvalid and SafetensorsInvalid for an index that is none, and FileFailed. */
export const checkpointFiles = (directory: string): CheckpointFiles => {
  const single = join(directory, "model.safetensors")
  if (existsSync(single)) return { kind: "safetensors", files: [single] }
  const index = join(directory, "model.safetensors.index.json")
  if (!existsSync(index)) return { kind: "torch", files: torchFiles(directory) }
  return { kind: "safetensors", files: Safetensors.shardsOf(index).map((file) => join(directory, file)) }
}
