/** The machine that this runs on, as far as a page may know it. */

declare const navigator: {
  readonly hardwareConcurrency: number
  /** Gibibytes, rounded, and at most 8 in many browsers; absent in others. */
  readonly deviceMemory?: number
}

export const platform: string = "browser"

/** There is no environment. */
export const variable = (_name: string): undefined => undefined

export const countCores = (): number => navigator.hardwareConcurrency

/** What a browser that does not tell is taken for. */
const usualGibibytes = 4

export const countMemory = (): number => (navigator.deviceMemory ?? usualGibibytes) * 2 ** 30

export const readProcessors = (): string => ""

/** A page has no say in how its engine is started. */
export const setEngineFlag = (_flag: string): void => {}
