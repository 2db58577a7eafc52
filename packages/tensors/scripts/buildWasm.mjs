/** Compiles assembly/ into dist/wasm/relaxed.wasm (relaxed SIMD) and dist/wasm/plain.wasm. */
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import asc from "assemblyscript/asc"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
mkdirSync(join(root, "dist/wasm"), { recursive: true })

const common = ["-O3", "--noAssert", "--disableWarning", "112", "--runtime", "stub", "--importMemory", "--sharedMemory"]
const memory = ["--initialMemory", "1", "--maximumMemory", "65536"]

for (const [build, features] of [
  ["relaxed", ["simd", "threads", "relaxed-simd"]],
  ["plain", ["simd", "threads"]]
]) {
  const enabled = features.flatMap((feature) => ["--enable", feature])
  const output = ["--outFile", `dist/wasm/${build}.wasm`]
  const { error, stderr } = await asc.main(
    ["assembly/index.ts", "--baseDir", root, ...output, ...common, ...memory, ...enabled],
    {}
  )
  if (error !== null) {
    process.stderr.write(stderr.toString())
    process.exit(1)
  }
}
