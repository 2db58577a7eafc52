/** The pictures of the next question: shown as they come, with the tiles that the model sees of them. */
import type { PictureTiles } from "../engine/messages.ts"
import { element, make } from "./elements.ts"
import { say } from "./language.ts"
import { tilesView } from "./tilesView.ts"

interface Waiting {
  readonly id: number
  readonly name: string
  readonly item: HTMLLIElement
  isReady: boolean
}

let pictures: readonly Waiting[] = []
let last = 0

interface TrayActions {
  readonly look: (id: number, name: string, blob: Blob) => void
  readonly drop: (id: number) => void
  readonly changed: () => void
}

/** Puts a picture into the tray, and has the engine look at it. */
export const addPicture = (name: string, blob: Blob, { look, drop, changed }: TrayActions): void => {
  const id = ++last
  const url = URL.createObjectURL(blob)
  const remove = make("button", { type: "button", textContent: "×" })
  remove.setAttribute("aria-label", say().remove(name))
  const state = make("p", { textContent: say().preparingPicture })
  const image = make("img", { src: url, alt: name })
  image.onload = image.onerror = () => URL.revokeObjectURL(url)
  const item = make("li", { className: "picture" }, image, state, remove)
  remove.onclick = () => {
    removePicture(id)
    drop(id)
    changed()
    element("question").focus()
  }
  pictures = [...pictures, { id, name, item, isReady: false }]
  element("tray").append(item)
  look(id, name, blob)
  changed()
}

/** The model has tiles of it now. */
export const pictureReady = (tiles: PictureTiles): void => {
  const picture = pictures.find(({ id }) => id === tiles.id)
  if (picture === undefined) return
  picture.isReady = true
  picture.item.querySelector("p")?.replaceWith(tilesView(tiles, say().sees(tiles.count), say().tile))
}

export const removePicture = (id: number): void => {
  pictures.find((picture) => picture.id === id)?.item.remove()
  pictures = pictures.filter((picture) => picture.id !== id)
}

/** Whether all of them can be asked about. */
export const areReady = (): boolean => pictures.every(({ isReady }) => isReady)

/** Pictures that were taken out of the tray. */
interface TakenPictures {
  readonly ids: readonly number[]
  /** What is shown of them. */
  readonly items: readonly HTMLLIElement[]
  readonly putBack: () => void
}

/** Takes all pictures out of the tray. */
export const takePictures = (): TakenPictures => {
  const taken = pictures
  pictures = []
  const buttons = taken.map(({ item }) => item.querySelector("button")!)
  for (const button of buttons) button.remove()
  return {
    ids: taken.map(({ id }) => id),
    items: taken.map(({ item }) => item),
    putBack: () => {
      for (const [at, { item }] of taken.entries()) item.append(buttons[at]!)
      element("tray").prepend(...taken.map(({ item }) => item))
      pictures = [...taken, ...pictures]
    }
  }
}
