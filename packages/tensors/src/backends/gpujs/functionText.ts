/** The text of a kernel function as GPU.js reads it, whatever has transpiled it. */

/** Test runners call an imported function as `(0, module.name)(...)`; in a program its name is all there is. */
const importedCall = /\(0,\s*[\w$.]+\.([\w$]+)\)\s*\(/g

/** Source text of a flat function. Bundlers tell names apart by $, which WGSL and GLSL do not take in names. */
export const functionText = (fn: (this: never, ...parameters: never[]) => number): string =>
  Function.prototype.toString.call(fn).replace(importedCall, "$1(").replaceAll("$", "_")

/** The text with `this.constants.name` turned into more parameters, in the order of `names`. */
export const withParameters = (text: string, names: readonly string[]): string => {
  const parameter = (name: string) => `given_${name}`
  const open = text.indexOf("(") + 1
  const close = text.indexOf(")")
  const given = text
    .slice(open, close)
    .split(",")
    .map((name) => name.trim())
  const body = text
    .slice(close)
    .replace(/this\.constants\.(\w+)/g, (whole: string, name: string) =>
      names.includes(name) ? parameter(name) : whole
    )
  return `${text.slice(0, open)}${[...given, ...names.map(parameter)].filter((name) => name !== "").join(", ")}${body}`
}
