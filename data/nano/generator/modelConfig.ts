/** The configuration of nano: the smallest widths that learn the data set. */
import { type ModelShape, modelConfigOf, preprocessorConfigOf } from "../../common/modelConfig.ts"
import { imageSize } from "./renderScene.ts"

const shape: ModelShape = {
  tileSize: imageSize,
  vision: { width: 64, blocks: 3, inner: 128 },
  language: { width: 64, layers: 5, inner: 128 },
  stored: "float32"
}

export const modelConfig = modelConfigOf(shape)
export const preprocessorConfig = preprocessorConfigOf(shape)
