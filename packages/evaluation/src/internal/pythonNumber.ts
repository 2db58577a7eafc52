/** Numbers as Python and pandas read and print them. */
import { trimmed } from "./pythonText.ts"

/** `repr(float)`: the shortest digits that read back, `1.0` for whole numbers, an exponent below 1e-4 and from 1e16 on. */
export const floatText = (value: number): string => {
  if (Number.isNaN(value)) return "nan"
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf"
  if (Object.is(value, -0)) return "-0.0"
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string]
  const power = Number(exponent)
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`
  }
  const digits = mantissa.replace(/[-.]/g, "")
  const sign = value < 0 ? "-" : ""
  if (power < 0) return `${sign}0.${"0".repeat(-power - 1)}${digits}`
  return `${sign}${digits.slice(0, power + 1).padEnd(power + 1, "0")}.${digits.slice(power + 1) || "0"}`
}

/** The text without the white space that C's `isspace` knows around it. A pattern that takes it at both ends takes time by the square of its length. */
const withoutSpace = (text: string): string => trimmed(text, " \t\n\v\f\r")

const floatShape = /^([+-]?)(\d*)(?:(\.)(\d*))?(?:[eE]([+-]?\d+))?$/
const infinity = /^([+-]?)inf(?:inity)?$/i
const power10 = (exponent: number): number => Number(`1e${exponent}`)

/**
 * A decimal number as pandas' default parser reads it, or undefined when it is none (or too large for a double).
 *
 * pandas keeps the first 17 digits, leading zeros counted, and scales by one power of ten, so the last bit of a long
 * number can differ from the nearest double ("0.30000000000000004" reads as 0.3); the printed text shows that.
 */
export const parseFloatLikePandas = (cell: string): number | undefined => {
  const text = withoutSpace(cell)
  const infinite = infinity.exec(text)
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity
  const match = floatShape.exec(text)
  if (match === null) return undefined
  const [, sign, whole = "", , fraction = "", exponentText = "0"] = match
  if (whole === "" && fraction === "") return undefined
  const kept = (whole + fraction).slice(0, 17)
  const keptFraction = Math.max(0, kept.length - whole.length)
  const exponent = Math.max(0, whole.length - 17) - keptFraction + Number(exponentText)
  let value = 0
  for (const digit of kept) value = value * 10 + Number(digit)
  if (exponent > 308) return undefined
  // Below 1e-308 in two steps: one power of ten would itself be zero or subnormal.
  if (exponent < -308) value = value / power10(Math.min(308, -308 - exponent)) / 1e308
  else value = exponent < 0 ? value / power10(-exponent) : value * power10(exponent)
  if (!Number.isFinite(value)) return undefined
  return sign === "-" ? -value : value
}

const integerShape = /^([+-]?)0*(\d+)$/
/** More than 64 bits have. Making a number of a million digits takes longer than reading them. */
const mostDigits = 20

/** A decimal integer, or undefined. One of more than 20 digits is given as its first 21: no 64 bits hold it either. */
export const parseInteger = (text: string): bigint | undefined => {
  const match = integerShape.exec(withoutSpace(text))
  if (match === null) return undefined
  const [, sign, digits] = match
  const value = BigInt(digits!.slice(0, mostDigits + 1))
  return sign === "-" ? -value : value
}
