/** Cuts a text that comes in pieces before the first of some words. */

interface StopText {
  /** The part of what came so far that no stop word can begin in any more, and was not given yet. */
  readonly push: (piece: string) => { readonly text: string; readonly stopped: boolean }
  /** What was held back, where the text ended without one. */
  readonly flush: () => string
}

/** The longest end of `text` that one of the words begins with. */
const heldBack = (text: string, words: readonly string[]): number => {
  const longest = Math.max(0, ...words.map(({ length }) => length - 1))
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length)
    if (words.some((word) => word.startsWith(end))) return length
  }
  return 0
}

export const stopText = (words: readonly string[]): StopText => {
  let held = ""
  return {
    push: (piece) => {
      held += piece
      const places = words.map((word) => held.indexOf(word)).filter((place) => place >= 0)
      const stopped = places.length > 0
      const end = stopped ? Math.min(...places) : held.length - heldBack(held, words)
      const text = held.slice(0, end)
      held = stopped ? "" : held.slice(end)
      return { text, stopped }
    },
    flush: () => held
  }
}
