/** What the model is to compute on, as it was chosen: the processor, unless a graphics processor is there and is wanted. */
import type { Computer, Graphics } from "../engine/messages.ts"
import { element, show } from "./elements.ts"
import { say } from "./language.ts"
import { remember, remembered } from "./remembered.ts"

const key = "speedq-computer"

const choice = (): HTMLSelectElement => element<HTMLSelectElement>("computer")

/** Shows the choice where there is one. */
export const showComputers = (graphics: Graphics | undefined, isIdle: boolean): void => {
  show("computer-choice", graphics !== undefined)
  choice().disabled = !isIdle
  if (graphics !== undefined) element("graphics").textContent = say().graphics(graphics.name, graphics.software)
}

export const computer = (graphics: Graphics | undefined): Computer =>
  graphics !== undefined && choice().value === "graphics" ? "graphics" : "processor"

export const listenToComputer = (changed: () => void): void => {
  choice().value = remembered(key) === "graphics" ? "graphics" : "processor"
  choice().onchange = () => {
    remember(key, choice().value)
    changed()
  }
}
