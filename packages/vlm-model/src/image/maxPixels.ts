/** Pillow refuses images with more pixels. */
export const defaultMaxPixels = 178_956_970
