/** Paths of files, as Node has them. */
export { dirname, join } from "node:path"
