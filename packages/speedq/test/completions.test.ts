/** Completions in the shells that are here: files and directories go by path, values by their names. */
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

/** What is typed, and what it becomes. */
const lines = {
  "speedq plan reci": "recipe-mine.json",
  "speedq evaluate mod": "models/",
  "speedq evaluate m --data reci": "recipe-mine.json",
  "speedq run x --out mod": "models/",
  "speedq status mod": "models/",
  "speedq evaluate m --matcher h": "head",
  "speedq eval": "evaluate"
}

// Each prints a line for every line that it gets, the completed word at its end. $1 is the script of speedq.
const bash = `
source "$1"; shift
for line in "$@"; do
  COMP_WORDS=($line); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE=$line; COMP_POINT=\${#line}; COMPREPLY=()
  _speedq speedq "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
  for word in "\${COMPREPLY[@]}"; do [[ -d $word ]] && word=$word/; echo "$word"; done
done`
const fish = `
source $argv[1]
for line in $argv[2..]; complete -C $line | string replace -r '\\t.*' ''; end`
// A widget shows what Tab has made of the line, in a terminal of its own.
const zsh = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT=''; autoload -U compinit; compinit -u -D; source $1; show() { print -r -- \\"<\\"\\"<\\$BUFFER>>\\"; BUFFER=''; }; zle -N show; bindkey '^X' show; print -r -- rea''dy"
zpty -r -m z out '*ready*'
shift
for line in "$@"; do
  zpty -w -n z "$line"$'\\t\\x18'
  zpty -r -m z out '*<<*>>*'
  print -r -- "\${\${out##*<<}%%>>*}"
done
zpty -d z`

const shells = {
  bash: ["--norc", "-c", bash, "bash"],
  fish: ["--no-config", "-c", fish],
  zsh: ["-f", "-c", zsh, "zsh"]
}

describe("completions", () => {
  for (const [shell, args] of Object.entries(shells)) {
    const isHere = spawnSync(shell, ["--version"]).status === 0
    const name = isHere ? shell : `${shell} (not installed: apt-get install ${shell})`
    it.skipIf(!isHere)(`complete paths and values in ${name}`, async () => {
      const { code, stdout: script } = await speedqProcess(["--completions", shell])
      assert.strictEqual(code, 0)
      for (const word of ["evaluate", "benchmark", "tensorboard"]) assert.include(script, word)
      const directory = temporaryDirectory()
      mkdirSync(join(directory, "models"))
      writeFileSync(join(directory, "recipe-mine.json"), "{}")
      const file = join(directory, "completions")
      writeFileSync(file, script)
      const typed = Object.keys(lines)
      const { stdout, stderr } = spawnSync(shell, [...args, file, ...typed], { cwd: directory, timeout: 30_000 })
      const words = stdout.toString().trim().split(/\r?\n/)
      assert.deepStrictEqual(
        words.map((word) => word.trim().split(" ").at(-1)),
        Object.values(lines),
        stderr.toString()
      )
    })
  }
})
