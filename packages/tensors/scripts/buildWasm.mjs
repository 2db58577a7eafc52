/**
 * Compiles assembly/ into dist/wasm: the kernels as relaxed.wasm (relaxed SIMD) and plain.wasm, and magnitude.wasm, which
 * brings its own memory.
 */
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import asc from "assemblyscript/asc"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
mkdirSync(join(root, "dist/wasm"), { recursive: true })

const common = ["-O3", "--noAssert", "--disableWarning", "112", "--runtime", "stub"]
const shared = ["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"]
// A page that the compiler has for itself, and 1 MiB of room.
const own = ["--initialMemory", "17", "--maximumMemory", "17"]

for (const { source, build, memory, features } of [
  { source: "index", build: "relaxed", memory: shared, features: ["simd", "threads", "relaxed-simd"] },
  { source: "index", build: "plain", memory: shared, features: ["simd", "threads"] },
  { source: "magnitude", build: "magnitude", memory: own, features: ["simd"] }
]) {
  const enabled = features.flatMap((feature) => ["--enable", feature])
  const output = ["--outFile", `dist/wasm/${build}.wasm`]
  const { error, stderr } = await asc.main(
    [`assembly/${source}.ts`, "--baseDir", root, ...output, ...common, ...memory, ...enabled],
    {}
  )
  if (error !== null) {
    process.stderr.write(stderr.toString())
    process.exit(1)
  }
}
