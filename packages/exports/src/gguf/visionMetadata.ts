/** What mmproj.gguf says of the vision tower and the projector. */
import { blocksUsed, type ModelDirectory } from "@speedq/vlm-model"
import { bool, f32, f32s, type Metadata, string, u32 } from "./metadata.ts"

/** Keys of the tower, which has the blocks that are used alone. */
export const visionMetadata = ({ config, image }: ModelDirectory): Metadata => {
  const { vision_config: vision, llm_config } = config
  return {
    "general.architecture": string("clip"),
    "general.type": string("mmproj"),
    "clip.has_vision_encoder": bool(true),
    "clip.projector_type": string("internvl"),
    "clip.use_gelu": bool(true),
    "clip.vision.projection_dim": u32(llm_config.hidden_size),
    "clip.vision.image_size": u32(image.tileSize),
    "clip.vision.patch_size": u32(vision.patch_size),
    "clip.vision.embedding_length": u32(vision.hidden_size),
    "clip.vision.feed_forward_length": u32(vision.intermediate_size),
    "clip.vision.block_count": u32(blocksUsed(config)),
    "clip.vision.attention.head_count": u32(vision.num_attention_heads),
    "clip.vision.attention.layer_norm_epsilon": f32(vision.layer_norm_eps),
    "clip.vision.image_mean": f32s(image.statistics.mean),
    "clip.vision.image_std": f32s(image.statistics.std),
    // The pixel shuffle folds 2 x 2 patches into one.
    "clip.vision.projector.scale_factor": u32(2),
    "clip.vision.preproc_min_tiles": u32(image.dynamic ? image.minTiles : 1),
    "clip.vision.preproc_max_tiles": u32(image.dynamic ? image.maxTiles : 1)
  }
}
