#!/usr/bin/env node
// The built command. A file that is there before the build, since npm links no command whose file is missing.
import { existsSync } from "node:fs"

const main = new URL("../dist/bin/main.js", import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  process.stderr.write("error: speedq is not built; run npm run build\n")
  process.exitCode = 1
}
