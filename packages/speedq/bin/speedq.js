#!/usr/bin/env node
// The built command. A file that is there before the build, since npm links no command whose file is missing.
import { existsSync } from "node:fs"

const main = new URL("../dist/bin/main.js", import.meta.url)

/** What the system refuses while modules are loaded: there is no code of ours yet that could say so. */
const isRefused = ({ code }) => ["EMFILE", "ENFILE", "EACCES", "EIO", "ENOMEM"].includes(code)

if (existsSync(main)) {
  try {
    await import(main.href)
  } catch (error) {
    if (!isRefused(error)) throw error
    const fix = error.code.endsWith("FILE") ? '; raise the limit of open files ("ulimit -n 1024")' : ""
    process.stderr.write(`error: speedq cannot be loaded: ${error.message}${fix}\n`)
    process.exitCode = 1
  }
} else {
  process.stderr.write("error: speedq is not built; run npm run build\n")
  process.exitCode = 1
}
