/** Formats of pictures by their first bytes: a codec sees no file of another format, whatever its name says. */

const formats = ["png", "jpeg", "webp", "gif", "tiff", "bmp"] as const
type PictureFormat = (typeof formats)[number]
export const formatNames = formats.join(", ")

const beginnings: ReadonlyArray<readonly [PictureFormat, RegExp]> = [
  ["png", /^\x89PNG\r\n\x1a\n/],
  ["jpeg", /^\xff\xd8\xff/],
  ["webp", /^RIFF.{4}WEBP/s],
  ["gif", /^GIF8[79]a/],
  // Little-endian, big-endian, and both with 64-bit offsets.
  ["tiff", /^(II[*+]\0|MM\0[*+])/],
  ["bmp", /^BM/]
]
const longest = 12

/** The format that a file begins as; undefined for everything else. */
export const pictureFormat = (bytes: Uint8Array): PictureFormat | undefined => {
  const beginning = Buffer.from(bytes.subarray(0, longest)).toString("latin1")
  return beginnings.find(([, pattern]) => pattern.test(beginning))?.[0]
}
