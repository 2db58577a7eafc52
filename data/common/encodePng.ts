/** PNG files of drawn pictures. */
import type { RgbImage } from "@speedq/vlm-model"
import sharp from "sharp"

/** The PNG file of a picture: lossless, no palette, no metadata. */
export const encodePng = ({ data, width, height }: RgbImage): Promise<Buffer> =>
  sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9, palette: false })
    .toBuffer()
