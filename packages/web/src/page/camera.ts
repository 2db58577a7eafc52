/** A picture by the camera of the device, in a dialog. */
import { element } from "./elements.ts"

/** Opens the camera; settles with the picture, with undefined where none is taken. Rejects where there is no camera that may be used. */
export const takePicture = async (): Promise<Blob | undefined> => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } })
  const dialog = element<HTMLDialogElement>("camera")
  const view = element<HTMLVideoElement>("camera-view")
  const take = element<HTMLButtonElement>("take")
  try {
    // Before the first frame there is nothing to take.
    take.disabled = true
    view.onloadeddata = () => {
      take.disabled = false
    }
    view.srcObject = stream
    dialog.showModal()
    const taken = await new Promise<boolean>((resolve) => {
      take.onclick = () => resolve(true)
      element("close-camera").onclick = () => resolve(false)
      dialog.onclose = () => resolve(false)
    })
    return taken ? await pictureOf(view) : undefined
  } finally {
    dialog.onclose = null
    dialog.close()
    view.srcObject = null
    for (const track of stream.getTracks()) track.stop()
  }
}

const pictureOf = async (view: HTMLVideoElement): Promise<Blob> => {
  const canvas = new OffscreenCanvas(view.videoWidth, view.videoHeight)
  canvas.getContext("2d")!.drawImage(view, 0, 0)
  return canvas.convertToBlob({ type: "image/png" })
}
