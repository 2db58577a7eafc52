/** PNG encoding of rendered scenes. */
import sharp from "sharp"
import { imageSize } from "./renderScene.ts"

/** The PNG file of RGB bytes [84, 84, 3]: lossless, no palette, no metadata. */
export const encodePng = (pixels: Uint8Array): Promise<Buffer> =>
  sharp(pixels, { raw: { width: imageSize, height: imageSize, channels: 3 } })
    .png({ compressionLevel: 9, palette: false })
    .toBuffer()
