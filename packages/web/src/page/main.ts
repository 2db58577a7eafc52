/** The page: opens a model, asks it about pictures, shows what it answers. */
import type { ChosenFile, Event, ModelSource, Opened, Told } from "../engine/messages.ts"
import { numberIn, sampling, taken } from "./answerOptions.ts"
import { takePicture } from "./camera.ts"
import { computer, listenToComputer, showComputers } from "./computer.ts"
import { addAnswer, addQuestion, clearLog } from "./conversationLog.ts"
import { chosenFiles, droppedFiles, isPicture } from "./droppedFiles.ts"
import { element, formatBytes, show } from "./elements.ts"
import { startEngine } from "./engineClient.ts"
import { changeLanguage, language, say, writeTexts } from "./language.ts"
import { goOffline } from "./offline.ts"
import { plainWords, worksWithoutKeeping } from "./problems.ts"
import { addPicture, areReady, pictureReady, removePicture, takePictures } from "./tray.ts"

const here = new URL("./", location.href)
const page = here.pathname
const folder = new URL("model/", here).href

type Found = Event & { readonly kind: "found" }

/** What the page is about. */
const state: {
  found: Found | undefined
  model: Opened | undefined
  /** What is being opened, or was last tried. */
  source: ModelSource | undefined
  /** Whether the page may be loaded again by its service worker; it is busy until then. */
  isPreparing: boolean
  isBusy: boolean
  isCanceling: boolean
  answer: (ReturnType<typeof addAnswer> & { readonly takeBack: () => void }) | undefined
} = {
  found: undefined,
  model: undefined,
  source: undefined,
  isPreparing: true,
  isBusy: true,
  isCanceling: false,
  answer: undefined
}

const keep = (): boolean => element<HTMLInputElement>("keep").checked

const setStatus = (text: string): void => {
  element("status").textContent = text
}

// Problems

const tellProblem = (error: Told): void => {
  element("problem-words").textContent = plainWords(error, language())
  element("problem-details").textContent = `${error.tag}: ${error.message}`
  show("without-keeping", worksWithoutKeeping(error))
  show("problem", true)
}
const clearProblem = (): void => show("problem", false)

// Models

const keptBytes = (): number => (state.found?.site?.keptBytes ?? 0) + (state.found?.kept?.keptBytes ?? 0)

/** Shows what can be done, and what cannot now. */
const update = (): void => {
  const { found, model, isBusy, answer } = state
  show("start", model === undefined)
  show("chat", model !== undefined)
  show("progress", isBusy && model === undefined)
  const site = found?.site
  show("offer", site !== undefined && !isBusy)
  if (site !== undefined) {
    const left = formatBytes(site.bytes - site.keptBytes)
    element("load").textContent = site.keptBytes > 0 ? say().goOn(site.name, left) : say().load(site.name, left)
  }
  for (const id of ["choose-folder", "choose-files"]) element<HTMLButtonElement>(id).disabled = isBusy
  show("cancel-opening", !state.isPreparing)
  element<HTMLButtonElement>("cancel-opening").disabled = state.isCanceling
  if (state.isPreparing) element("progress-text").textContent = say().preparing
  showComputers(found?.graphics, !isBusy && answer === undefined)
  element("model-name").textContent = model?.name ?? ""
  document.title = model === undefined ? "SPEED-Q" : `${model.name} · SPEED-Q`
  show("send", answer === undefined)
  show("stop", answer !== undefined)
  show("faster-choice", model?.hasCodes === true)
  for (const id of ["top-p-choice", "seed-choice"]) show(id, numberIn("temperature") > 0)
  show("forget", !isBusy && (model !== undefined || keptBytes() > 0))
  for (const id of ["reset", "forget"]) element<HTMLButtonElement>(id).disabled = answer !== undefined
  element<HTMLButtonElement>("send").disabled = !areReady()
}

const openModel = (source: ModelSource, isKept = keep()): void => {
  if (state.isBusy) return
  clearProblem()
  state.source = source
  state.isBusy = true
  const hadFocus = document.activeElement === element("load")
  element<HTMLProgressElement>("progress-bar").value = 0
  element("progress-text").textContent = say().opening
  update()
  if (hadFocus) element("cancel-opening").focus()
  engine({ kind: "open", page, source, keep: isKept, computer: computer(state.found?.graphics) })
}

/** Shows nothing of a model any more. */
const leaveModel = (): void => {
  state.model = undefined
  clearLog()
  for (const item of takePictures().items) item.remove()
}

/** The model that is open, on what is chosen now. */
const openAgain = (): void => {
  const { model, source } = state
  if (model === undefined || source === undefined) return
  leaveModel()
  openModel(source, model.isKept)
}

const openingEnded = (): void => {
  state.isBusy = false
  state.isCanceling = false
}

const placeOf = ({ place }: Opened): string =>
  place.computer === "graphics" ? place.adapter : say().threads(place.threads)

// What the engine says

const hear = (event: Event): void => {
  switch (event.kind) {
    case "found": {
      const isFirst = state.found === undefined
      state.found = event
      update()
      // What could not be opened is not tried again without being asked.
      if (!isFirst) return
      const { site, kept } = event
      if (site !== undefined && site.keptBytes === site.bytes) openModel({ kind: "site", folder })
      else if (site === undefined && kept !== undefined) openModel({ kind: "kept" })
      return
    }
    case "loading": {
      if (state.isCanceling) return
      const part = event.total === 0 ? 1 : event.done / event.total
      element<HTMLProgressElement>("progress-bar").value = part
      element("progress-text").textContent =
        part === 1 ? say().opening : say().reading(event.file, Math.floor(100 * part))
      return
    }
    case "opened": {
      state.model = event.model
      openingEnded()
      update()
      setStatus(say().ready(placeOf(event.model), formatBytes(event.model.weightBytes)))
      element("question").focus()
      return
    }
    case "notOpened":
      openingEnded()
      update()
      element(state.found?.site === undefined ? "choose-folder" : "load").focus()
      engine({ kind: "look", page, folder })
      return
    case "forgotten": {
      leaveModel()
      engine({ kind: "look", page, folder })
      update()
      element("choose-folder").focus()
      return
    }
    case "pictureReady":
      pictureReady(event.picture)
      update()
      return
    case "pictureFailed":
      removePicture(event.id)
      tellProblem(event.error)
      update()
      return
    case "preparing":
      setStatus(event.tiles < event.of ? say().tileStep(event.tiles + 1, event.of) : say().readStep(event.tokens))
      return
    case "piece":
      state.answer?.add(event.text)
      return
    case "answered": {
      endAnswer()
      const { tokens, seconds, waitedSeconds, memoryBytes } = event.answer
      const rate = tokens > 1 ? ((tokens - 1) / seconds).toFixed(1) : undefined
      setStatus(say().answered(tokens, rate, waitedSeconds.toFixed(1), formatBytes(memoryBytes)))
      return
    }
    case "notAsked":
      state.answer?.takeBack()
      endAnswer()
      setStatus(say().notAsked)
      return
    case "failed": {
      if (event.during === "open") openingEnded()
      endAnswer()
      tellProblem(event.error)
      if (event.during === "open") engine({ kind: "look", page, folder })
      update()
    }
  }
}

const endAnswer = (): void => {
  const hadFocus = document.activeElement === element("stop")
  state.answer?.end()
  state.answer = undefined
  update()
  if (hadFocus) field.focus()
}

// What the user does

const field = element<HTMLTextAreaElement>("question")

const ask = (): void => {
  const question = field.value.trim()
  if (question === "" || state.answer !== undefined || !areReady() || state.model === undefined) return
  clearProblem()
  const { ids, items, putBack } = takePictures()
  field.value = ""
  const removeQuestion = addQuestion(question, items)
  const answer = addAnswer()
  const takeBack = () => {
    answer.remove()
    removeQuestion()
    putBack()
    if (field.value === "") field.value = question
  }
  const hadFocus = document.activeElement === element("send")
  state.answer = { ...answer, takeBack }
  update()
  if (hadFocus) element("stop").focus()
  const activations = element<HTMLInputElement>("faster").checked && state.model.hasCodes ? "int8" : "f32"
  engine({ kind: "ask", question, pictures: ids, maxNewTokens: taken("longest"), activations, sampling: sampling() })
}

const pictures = (files: readonly { readonly path: string; readonly blob: Blob }[]): void => {
  clearProblem()
  for (const { path, blob } of files) {
    addPicture(path.split("/").at(-1) ?? path, blob, {
      look: (id, name, picture) => engine({ kind: "picture", id, name, blob: picture }),
      drop: (id) => engine({ kind: "removePicture", id }),
      changed: update
    })
  }
}

const cancelOpening = (): void => {
  if (!state.isBusy || state.isPreparing || state.isCanceling) return
  state.isCanceling = true
  element("progress-text").textContent = say().canceling
  update()
  engine({ kind: "stop" })
}

const stop = (): void => {
  if (state.answer === undefined) return
  // It ends with the tile, the layer or the token that is computed, which can take seconds.
  setStatus(say().stopping)
  engine({ kind: "stop" })
}

/** What was dropped: a model where none is open, else pictures. What is neither is told. */
const takeFiles = (files: readonly ChosenFile[]): void => {
  if (files.length === 0) return
  if (state.model === undefined) {
    openModel({ kind: "files", files })
    return
  }
  pictures(files.filter(isPicture))
  const others = files.filter((file) => !isPicture(file)).map(({ path }) => path)
  const names = [...others.slice(0, 3), ...(others.length > 3 ? ["..."] : [])].join(", ")
  if (others.length > 0) tellProblem({ tag: "PictureUnreadable", message: say().noPictures(names) })
}

const listen = (): void => {
  listenToComputer(openAgain)
  element("language").onclick = () => {
    changeLanguage()
    update()
  }
  element("load").onclick = () => openModel({ kind: "site", folder })
  element("without-keeping").onclick = () => state.source && openModel(state.source, false)
  for (const kind of ["folder", "files", "picture"] as const) {
    const input = element<HTMLInputElement>(`${kind}-input`)
    element(kind === "picture" ? "add-picture" : `choose-${kind}`).onclick = () => input.click()
    input.onchange = () => {
      const files = chosenFiles(input.files ?? [])
      input.value = ""
      if (files.length === 0) return
      if (kind === "picture") pictures(files)
      else openModel({ kind: "files", files })
    }
  }
  const camera = element<HTMLButtonElement>("use-camera")
  camera.onclick = () => {
    camera.disabled = true
    takePicture()
      .then(
        (blob) => blob && pictures([{ path: "camera.png", blob }]),
        (error: unknown) => tellProblem({ tag: "CameraUnavailable", message: String(error) })
      )
      .finally(() => {
        camera.disabled = false
        camera.focus()
      })
  }
  element<HTMLFormElement>("ask").onsubmit = (event) => {
    event.preventDefault()
    ask()
  }
  field.onkeydown = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    ask()
  }
  element("cancel-opening").onclick = cancelOpening
  element("stop").onclick = stop
  element("temperature").oninput = update
  document.onkeydown = ({ key }) => {
    if (key !== "Escape" || element<HTMLDialogElement>("camera").open) return
    cancelOpening()
    stop()
  }
  element("reset").onclick = () => {
    clearLog()
    clearProblem()
    setStatus("")
    engine({ kind: "reset" })
    field.focus()
  }
  element("forget").onclick = () => engine({ kind: "forget", page })
  document.onpaste = ({ clipboardData }) => {
    const files = chosenFiles(clipboardData?.files ?? []).filter(isPicture)
    if (state.model !== undefined && files.length > 0) pictures(files)
  }
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

writeTexts()
update()
listen()
// Nothing is asked of the engine while the page is busy.
const isLeaving = await goOffline()
const engine = isLeaving ? () => {} : startEngine(hear)
if (!isLeaving) {
  state.isPreparing = state.isBusy = false
  engine({ kind: "look", page, folder })
  update()
}
