/** The text of a kernel function as GPU.js reads it, whatever has transpiled it. */

/** Test runners call an imported function as `(0, module.name)(...)`; in a program its name is all there is. */
const importedCall = /\(0,\s*[\w$.]+\.([\w$]+)\)\s*\(/g

/** Source text of a flat function. */
export const functionText = (fn: (...parameters: never[]) => number): string =>
  Function.prototype.toString.call(fn).replace(importedCall, "$1(")
