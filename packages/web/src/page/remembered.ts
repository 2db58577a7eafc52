/** What the page remembers of choices, where the browser keeps anything for it. */

/** What was chosen before; nothing where the browser keeps nothing for the page, and raises an error instead. */
export const remembered = (key: string): string | null => {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

export const remember = (key: string, chosen: string): void => {
  try {
    localStorage.setItem(key, chosen)
  } catch {
    // It holds until the page is left.
  }
}
