/** What the user presses, types, chooses, drops and pastes, and what is done then. */
import type { ChosenFile, KeptModel, Told } from "../engine/messages.ts"
import { takePicture } from "./camera.ts"
import { chosenFiles, droppedFiles, isPicture } from "./droppedFiles.ts"
import { element } from "./elements.ts"

interface Actions {
  readonly changeLanguage: () => void
  readonly load: (which: KeptModel) => void
  readonly loadWithoutKeeping: () => void
  readonly closeModel: () => void
  readonly forget: (which: KeptModel) => void
  /** Files that are to be a model. */
  readonly openFiles: (files: readonly ChosenFile[]) => void
  /** Files that are to be pictures. */
  readonly addPictures: (files: readonly ChosenFile[]) => void
  /** Files of which it is not said what they are to be. */
  readonly takeFiles: (files: readonly ChosenFile[]) => void
  readonly ask: () => void
  readonly stop: () => void
  readonly cancelOpening: () => void
  readonly reset: () => void
  /** Options of answers have changed. */
  readonly changed: () => void
  readonly tellProblem: (error: Told) => void
}

/** Whether a key belongs to an input method, as where Chinese is written; Safari says 229 of the key that ends a composition. */
const isComposing = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === 229

const listenToFields = ({ openFiles, addPictures }: Actions): void => {
  for (const kind of ["folder", "files", "picture"] as const) {
    const input = element<HTMLInputElement>(`${kind}-input`)
    element(kind === "picture" ? "add-picture" : `choose-${kind}`).onclick = () => input.click()
    input.onchange = () => {
      const files = chosenFiles(input.files ?? [])
      input.value = ""
      if (files.length > 0) (kind === "picture" ? addPictures : openFiles)(files)
    }
  }
}

const listenToCamera = ({ addPictures, tellProblem }: Actions): void => {
  const camera = element<HTMLButtonElement>("use-camera")
  camera.onclick = () => {
    camera.disabled = true
    takePicture()
      .then(
        (blob) => blob && addPictures([{ path: "camera.png", blob }]),
        (error: unknown) => tellProblem({ tag: "CameraUnavailable", message: String(error) })
      )
      .finally(() => {
        camera.disabled = false
        camera.focus()
      })
  }
}

const listenToKeys = ({ ask, stop, cancelOpening }: Actions): void => {
  element("question").onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return
    event.preventDefault()
    ask()
  }
  document.onkeydown = (event) => {
    if (event.key !== "Escape" || isComposing(event) || element<HTMLDialogElement>("camera").open) return
    cancelOpening()
    stop()
  }
}

const listenToDrops = ({ takeFiles, tellProblem }: Actions): void => {
  document.ondragover = (event) => {
    event.preventDefault()
    document.body.classList.add("over")
  }
  document.ondragleave = () => document.body.classList.remove("over")
  document.ondrop = (event) => {
    event.preventDefault()
    document.body.classList.remove("over")
    if (event.dataTransfer === null) return
    droppedFiles(event.dataTransfer).then(takeFiles, (error: unknown) =>
      tellProblem({ tag: "FileFailed", message: String(error) })
    )
  }
}

export const listen = (actions: Actions): void => {
  element("language").onclick = actions.changeLanguage
  element("load").onclick = () => actions.load("site")
  element("load-kept").onclick = () => actions.load("files")
  element("without-keeping").onclick = actions.loadWithoutKeeping
  element("other-model").onclick = actions.closeModel
  for (const which of ["site", "files"] as const) element(`forget-${which}`).onclick = () => actions.forget(which)
  element<HTMLFormElement>("ask").onsubmit = (event) => {
    event.preventDefault()
    actions.ask()
  }
  element("cancel-opening").onclick = actions.cancelOpening
  element("stop").onclick = actions.stop
  element("reset").onclick = actions.reset
  element("temperature").oninput = actions.changed
  document.onpaste = ({ clipboardData }) =>
    actions.addPictures(chosenFiles(clipboardData?.files ?? []).filter(isPicture))
  listenToFields(actions)
  listenToCamera(actions)
  listenToKeys(actions)
  listenToDrops(actions)
}
