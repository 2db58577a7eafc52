/** The tiles that the model sees of a picture, drawn. */
import type { PictureTiles } from "../engine/messages.ts"
import { make } from "./elements.ts"

const drawn = ({ data, size }: PictureTiles, at: number, label: string): HTMLCanvasElement => {
  const canvas = make("canvas", { width: size, height: size })
  canvas.setAttribute("role", "img")
  canvas.setAttribute("aria-label", label)
  const pixels = new ImageData(size, size)
  const begin = at * size * size * 3
  for (let to = 0, from = begin; to < pixels.data.length; to += 4, from += 3) {
    pixels.data[to] = data[from]!
    pixels.data[to + 1] = data[from + 1]!
    pixels.data[to + 2] = data[from + 2]!
    pixels.data[to + 3] = 255
  }
  canvas.getContext("2d")!.putImageData(pixels, 0, 0)
  return canvas
}

export const tilesView = (picture: PictureTiles, summary: string, label: (at: number, of: number) => string) =>
  make(
    "details",
    {},
    make("summary", { textContent: summary }),
    make(
      "div",
      { className: "tiles" },
      ...Array.from({ length: picture.count }, (_, at) => drawn(picture, at, label(at + 1, picture.count)))
    )
  )
