/** Elements of the page by their ids, and new ones. */

/** Throws where the page has none of that id: a mistake of ours. */
export const element = <E extends HTMLElement = HTMLElement>(id: string): E => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found as E
}

export const make = <N extends keyof HTMLElementTagNameMap>(
  name: N,
  properties: Partial<HTMLElementTagNameMap[N]> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[N] => {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

export const show = (id: string, isShown: boolean): void => {
  element(id).hidden = !isShown
}

/** 1234567 as "1.2 MB". */
export const formatBytes = (bytes: number): string => {
  const units = ["B", "kB", "MB", "GB"]
  let [value, unit] = [bytes, 0]
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`
}
