/** The built package where gpu.js, koffi and webgpu are not installed: a folder of its own, outside of this repository. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, describe, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly peerDependencies: { readonly [name: string]: string }
}
const install = (name: string): string => `npm install ${name}@${manifest.peerDependencies[name]}`

const folder = mkdtempSync(join(tmpdir(), "speedq-optional-"))
const installed = join(folder, "node_modules")
const own = join(installed, "@speedq/tensors")
mkdirSync(own, { recursive: true })
for (const part of ["package.json", "dist"]) cpSync(join(root, part), join(own, part), { recursive: true })
afterAll(() => rmSync(folder, { recursive: true }))

interface Outcome {
  /** What runs, or absent where the backend did not start. */
  readonly name?: string
  readonly product?: readonly number[]
  readonly tag?: string
  readonly message?: string
}

const program = `
  import { matmul, openBackend, tensor } from "@speedq/tensors"
  const outcome = async (name) => {
    try {
      const backend = await openBackend(name)
      const a = tensor(backend, [1, 2, 3, 4], [2, 2])
      const product = Array.from(await matmul(a, a).read())
      backend.trim()
      await backend.close()
      return { name: backend.name, product }
    } catch ({ _tag: tag, message }) {
      return { tag, message }
    }
  }
  const outcomes = []
  for (const name of process.argv.slice(1)) outcomes.push(await outcome(name))
  console.log(JSON.stringify(outcomes))
  process.exit(0)
`

/** Tries backends in a process that finds only what `folder` holds. */
const tryBackends = (...names: readonly string[]): readonly Outcome[] => {
  const { SPEEDQ_BLAS: _blas, SPEEDQ_ONEDNN: _onednn, NODE_OPTIONS: _options, NODE_PATH: _path, ...env } = process.env
  const flags = ["--input-type=module", "--eval", program, "--", ...names]
  const text = execFileSync(process.execPath, flags, { cwd: folder, env, encoding: "utf8" })
  return JSON.parse(text) as readonly Outcome[]
}

/** Adds a package of this repository to the folder. */
const add = (name: string): void => {
  const entry = createRequire(import.meta.url).resolve(name)
  const end = entry.lastIndexOf(join("node_modules", name))
  const path = end < 0 ? dirname(entry) : join(entry.slice(0, end), "node_modules", name)
  symlinkSync(path, join(installed, name), "dir")
}

describe("without the optional packages", () => {
  it("imports, computes on the reference backend and natively, and says that a BLAS needs koffi", () => {
    const [reference, native, none] = tryBackends("reference", "native", "native:none")
    for (const { product } of [reference!, native!, none!]) assert.deepEqual(product, [7, 10, 15, 22])
    assert.match(native!.name!, /^native \(WebAssembly \w+ SIMD, no BLAS without koffi, /)
    assert.notInclude(none!.name!, "koffi")
  })

  it("auto takes the native backend", () => {
    const [auto] = tryBackends("auto")
    assert.match(auto!.name!, /^native /)
  })

  it("a library that was chosen, and every mode of GPU.js, name what to install", () => {
    const [chosen, ...modes] = tryBackends(
      "native:/usr/lib/libblas.so",
      "gpujs:webgpu",
      "gpujs:headlessgl",
      "gpujs:webasm",
      "gpujs:cpu"
    )
    assert.strictEqual(chosen!.tag, "BackendUnavailable")
    assert.include(chosen!.message!, `koffi is not installed; install it with ${install("koffi")}`)
    assert.lengthOf(modes, 4)
    for (const { tag, message } of modes) {
      assert.strictEqual(tag, "BackendUnavailable")
      assert.include(message!, `gpu.js is not installed; install it with ${install("gpu.js")}`)
    }
  })

  it("with GPU.js alone its modes on the processor run, and webgpu names Dawn's package", () => {
    add("gpu.js")
    const [cpu, webgpu] = tryBackends("gpujs:cpu", "gpujs:webgpu")
    assert.deepEqual([cpu!.name, cpu!.product], ["gpujs:cpu", [7, 10, 15, 22]])
    assert.strictEqual(webgpu!.tag, "BackendUnavailable")
    assert.include(webgpu!.message!, `webgpu is not installed; install it with ${install("webgpu")}`)
  })
})
