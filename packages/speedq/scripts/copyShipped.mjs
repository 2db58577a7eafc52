/** Copies what the tarball brings into dist/share: recipes, nano, the project of `speedq create`, and completions that the built command prints. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"

const packageRoot = fileURLToPath(new URL("..", import.meta.url))
const repository = join(packageRoot, "..", "..")
const share = join(packageRoot, "dist", "share")

/** What makes nano needs this repository; so do the data of micro, and with them its recipes. */
const makers = ["generator", "teacher"].map((name) => join(repository, "data", "nano", name))
const stays = (path) => makers.includes(path) || basename(path).startsWith("micro-")

rmSync(share, { recursive: true, force: true })
for (const folder of ["configs", "data/nano", "examples/project"]) {
  cpSync(join(repository, folder), join(share, folder), {
    recursive: true,
    filter: (path) => !stays(path)
  })
}

mkdirSync(join(share, "completions"))
const shells = { bash: "speedq.bash", zsh: "_speedq", fish: "speedq.fish", powershell: "speedq.ps1" }
for (const [shell, file] of Object.entries(shells)) {
  const script = execFileSync(process.execPath, [join(packageRoot, "dist/bin/main.js"), "--completions", shell])
  writeFileSync(join(share, "completions", file), script)
}
