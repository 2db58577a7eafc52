/** Files, as Node has them. */
export { closeSync, createReadStream, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from "node:fs"
export { open, readdir, readFile, stat } from "node:fs/promises"
