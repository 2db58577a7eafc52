/** The configuration of micro: deep and narrow. */
import { type ModelShape, modelConfigOf, preprocessorConfigOf } from "../../common/modelConfig.ts"
import { tileSize } from "./renderScene.ts"

const shape: ModelShape = {
  tileSize,
  vision: { width: 128, blocks: 10, inner: 384 },
  language: { width: 128, layers: 7, inner: 256 },
  stored: "bfloat16"
}

export const modelConfig = modelConfigOf(shape)
export const preprocessorConfig = preprocessorConfigOf(shape)
