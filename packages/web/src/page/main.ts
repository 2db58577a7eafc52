/** The page: opens a model, asks it about pictures, shows what it answers. */
import type { ChosenFile, Event, KeptModel, ModelSource, Opened, Told } from "../engine/messages.ts"
import { numberIn, sampling, taken } from "./answerOptions.ts"
import { computer, listenToComputer, showComputers } from "./computer.ts"
import { addAnswer, addQuestion, clearLog } from "./conversationLog.ts"
import { isPicture } from "./droppedFiles.ts"
import { element, formatBytes, show } from "./elements.ts"
import { startEngine } from "./engineClient.ts"
import { changeLanguage, say, writeTexts } from "./language.ts"
import { firstModel, rememberModel, showOffers } from "./modelOffers.ts"
import { goOffline } from "./offline.ts"
import { clearProblem, showProblem, writeProblem } from "./problemView.ts"
import { setStatus, writeStatus } from "./statusLine.ts"
import { addPicture, areReady, pictureReady, removePicture, takePictures } from "./tray.ts"
import { listen } from "./userEvents.ts"

const here = new URL("./", location.href)
const page = here.pathname
const folder = new URL("model/", here).href

type AllFound = Event & { readonly kind: "found" }
const nothingFound = { site: undefined, kept: undefined }

/** What the page is about. */
const state: {
  found: AllFound | undefined
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

const chosenComputer = () => computer(state.found?.graphics)

const tellProblem = (error: Told): void => showProblem(error, chosenComputer())

// Models

/** Shows what can be done, and what cannot now. */
const update = (): void => {
  const { found, model, isBusy, answer } = state
  show("start", model === undefined)
  show("chat", model !== undefined)
  show("progress", isBusy && model === undefined)
  const open = model !== undefined && state.source !== undefined ? { model, source: state.source } : undefined
  showOffers(found ?? nothingFound, open, isBusy)
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
  show("other-model", !isBusy && model !== undefined)
  for (const id of ["reset", "other-model", "forget-site", "forget-files"])
    element<HTMLButtonElement>(id).disabled = answer !== undefined
  element<HTMLButtonElement>("send").disabled = !areReady()
}

const openModel = (source: ModelSource, isKept = keep()): void => {
  if (state.isBusy) return
  clearProblem()
  state.source = source
  state.isBusy = true
  const hadFocus = ["load", "load-kept"].includes(document.activeElement?.id ?? "")
  element<HTMLProgressElement>("progress-bar").value = 0
  element("progress-text").textContent = say().opening
  update()
  if (hadFocus) element("cancel-opening").focus()
  engine({ kind: "open", page, source, keep: isKept, computer: chosenComputer() })
}

/** Opens the model beside the page, or that of files that is kept. */
const load = (which: KeptModel): void => openModel(which === "site" ? { kind: "site", folder } : { kind: "kept" })

/** Shows nothing of a model any more. */
const leaveModel = (): void => {
  state.model = undefined
  show("not-persisted", false)
  clearLog()
  for (const item of takePictures().items) item.remove()
}

/** Asks the browser to keep what the page keeps also where room gets short, and says where it does not promise that. */
const tellOfKeeping = async (): Promise<void> => {
  const isLasting = await navigator.storage.persist().catch(() => false)
  show("not-persisted", !isLasting && state.model?.isKept === true)
}

/** Back to where a model is chosen. */
const closeModel = (): void => {
  leaveModel()
  clearProblem()
  engine({ kind: "close" })
  engine({ kind: "look", page, folder })
  update()
  focusOffer()
}

const focusOffer = (): void => {
  const offers = ["load", "load-kept", "choose-folder"].map((id) => element(id))
  offers.find((offer) => offer.checkVisibility())?.focus()
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
      const first = firstModel(event)
      if (first !== undefined) load(first)
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
      setStatus(() => say().ready(placeOf(event.model), formatBytes(event.model.weightBytes)))
      if (state.source !== undefined) rememberModel(state.source)
      if (event.model.isKept) void tellOfKeeping()
      element("question").focus()
      return
    }
    case "notOpened":
      openingEnded()
      update()
      focusOffer()
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
      setStatus(() =>
        event.tiles < event.of ? say().tileStep(event.tiles + 1, event.of) : say().readStep(event.tokens)
      )
      return
    case "piece":
      state.answer?.add(event.text)
      return
    case "answered": {
      endAnswer()
      const { tokens, seconds, waitedSeconds, memoryBytes } = event.answer
      const rate = tokens > 1 ? ((tokens - 1) / seconds).toFixed(1) : undefined
      setStatus(() => say().answered(tokens, rate, waitedSeconds.toFixed(1), formatBytes(memoryBytes)))
      return
    }
    case "notAsked":
      state.answer?.takeBack()
      endAnswer()
      setStatus(() => say().notAsked)
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

const addPictures = (files: readonly ChosenFile[]): void => {
  if (state.model === undefined || files.length === 0) return
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
  setStatus(() => say().stopping)
  engine({ kind: "stop" })
}

/** What was dropped: a model where none is open, else pictures. What is neither is told. */
const takeFiles = (files: readonly ChosenFile[]): void => {
  if (files.length === 0) return
  if (state.model === undefined) {
    openModel({ kind: "files", files })
    return
  }
  clearProblem()
  addPictures(files.filter(isPicture))
  const others = files.filter((file) => !isPicture(file)).map(({ path }) => path)
  const names = [...others.slice(0, 3), ...(others.length > 3 ? ["..."] : [])].join(", ")
  if (others.length > 0) tellProblem({ tag: "PictureUnreadable", message: say().noPictures(names) })
}

const reset = (): void => {
  clearLog()
  clearProblem()
  setStatus(() => "")
  engine({ kind: "reset" })
  field.focus()
}

const writeAll = (): void => {
  changeLanguage()
  writeProblem()
  writeStatus()
  update()
}

writeTexts()
update()
listenToComputer(openAgain)
listen({
  changeLanguage: writeAll,
  load,
  loadWithoutKeeping: () => state.source && openModel(state.source, false),
  closeModel,
  forget: (which) => engine({ kind: "forget", page, which }),
  openFiles: (files) => openModel({ kind: "files", files }),
  addPictures,
  takeFiles,
  ask,
  stop,
  cancelOpening,
  reset,
  changed: update,
  tellProblem
})
// Nothing is asked of the engine while the page is busy.
const isLeaving = await goOffline()
const engine = isLeaving ? () => {} : startEngine(hear)
if (!isLeaving) {
  state.isPreparing = state.isBusy = false
  engine({ kind: "look", page, folder })
  update()
}
