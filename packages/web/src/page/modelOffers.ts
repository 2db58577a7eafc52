/** The models that can be opened without choosing files, and those that can be removed: that beside the page, and that of files, each by itself. */
import type { Found, KeptModel, ModelSource, Opened } from "../engine/messages.ts"
import { element, formatBytes, show } from "./elements.ts"
import { say } from "./language.ts"
import { remember, remembered } from "./remembered.ts"

const key = "speedq-model"

const kindOf = ({ kind }: ModelSource): KeptModel => (kind === "site" ? "site" : "files")

/** The next visit opens this one, where both are kept. */
export const rememberModel = (source: ModelSource): void => remember(key, kindOf(source))

const isWhole = (model: Found | undefined): boolean => model !== undefined && model.keptBytes === model.bytes

/** What is found, by where it comes from. */
interface FoundModels {
  readonly site: Found | undefined
  readonly kept: Found | undefined
}

/** What a visit opens without being asked. */
export const firstModel = ({ site, kept }: FoundModels): KeptModel | undefined => {
  if (kept !== undefined && (site === undefined || (isWhole(kept) && remembered(key) === "files"))) return "files"
  return isWhole(site) ? "site" : undefined
}

const offerOf = (model: Found): string => {
  const { name, bytes, keptBytes } = model
  if (isWhole(model)) return say().openKept(name, formatBytes(bytes))
  return keptBytes > 0 ? say().goOn(name, formatBytes(bytes - keptBytes)) : say().load(name, formatBytes(bytes))
}

interface Open {
  readonly model: Opened
  readonly source: ModelSource
}

/** Shows what can be opened and removed; where one is open, that one alone can be removed. */
export const showOffers = ({ site, kept }: FoundModels, open: Open | undefined, isBusy: boolean): void => {
  show("offer", !isBusy && (site !== undefined || kept !== undefined))
  show("load", site !== undefined)
  show("load-kept", kept !== undefined)
  if (site !== undefined) element("load").textContent = offerOf(site)
  if (kept !== undefined) element("load-kept").textContent = say().openKept(kept.name, formatBytes(kept.bytes))
  for (const [id, which, found] of [
    ["forget-site", "site", site],
    ["forget-files", "files", kept]
  ] as const) {
    const isRemovable = found?.isRemovable === true
    const isOpenKept = open?.model.isKept === true || (which === "site" && isRemovable)
    const isShown = open === undefined ? isRemovable : kindOf(open.source) === which && isOpenKept
    show(id, !isBusy && isShown)
    element(id).textContent = say().forget(open?.model.name ?? found?.name ?? "")
  }
}
