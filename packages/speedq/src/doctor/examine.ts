/** What this machine offers, and what would make it better. */
import { statfs } from "node:fs/promises"
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os"
import { type AutoChoice, chooseAuto, webgpuInstallCommand } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as ChildProcess from "effect/process/ChildProcess"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import type { BackendReport } from "./BackendReport.ts"
import { probeBackends } from "./probeBackends.ts"

/** What could be installed: what it costs, and what it brings. */
export interface Advice {
  readonly what: string
  readonly command: string
  readonly brings: string
}

export interface Examination {
  readonly system: string
  readonly processor: string
  /** Cores that this process may use. */
  readonly cores: number
  readonly memory: {
    readonly totalBytes: number
    /** Least of the machine's and of the container's. */
    readonly usableBytes: number
    readonly availableBytes: number
  }
  readonly disk: { readonly directory: string; readonly freeBytes: number | null }
  readonly node: { readonly version: string; readonly supported: boolean; readonly needed: string }
  readonly backends: readonly BackendReport[]
  /** What `--backend auto` takes here, and why; null where the processor itself does not answer. */
  readonly auto: AutoChoice | null
  /** First line that ffmpeg says of itself, or null. */
  readonly ffmpeg: string | null
  readonly advice: readonly Advice[]
}

const neededNode = ">=20.19"
const isSupported = (version: string): boolean => {
  const [major = 0, minor = 0] = version.slice(1).split(".").map(Number)
  return major > 20 || (major === 20 && minor >= 19)
}

/** In the order of preference; "native:none" shows what a BLAS brings. */
const backendNames = [
  "native",
  "native, bf16",
  "native:none",
  "gpujs:webgpu",
  "gpujs:webgpu+f16",
  "gpujs:webgpu+f16x3",
  "gpujs:headlessgl",
  "gpujs:webasm",
  "gpujs:cpu",
  "reference"
]

const ffmpegVersion = Effect.gen(function* () {
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const text = yield* spawner.string(ChildProcess.make("ffmpeg", ["-version"]))
  return text.split("\n")[0] ?? ""
}).pipe(Effect.orElseSucceed(() => null))

const find = (backends: readonly BackendReport[], name: string) => {
  const report = backends.find((each) => each.name === name)
  return report?.answers ? report : undefined
}

/** What auto takes of backends that were tried. */
export const autoOf = (backends: readonly BackendReport[]): AutoChoice | null => {
  const native = find(backends, "native")
  const gpu = backends.find(({ name }) => name === "gpujs:webgpu")
  if (native === undefined || gpu === undefined) return null
  return chooseAuto(native.speed, gpu.answers ? gpu.speed : gpu.reason)
}

/** Commands are npm's, Debian's and Ubuntu's; `packages` is the one for what npm packages a GPU lacks. */
export const adviceFor = (
  backends: readonly BackendReport[],
  ffmpeg: string | null,
  packages = webgpuInstallCommand()
): readonly Advice[] => {
  const native = find(backends, "native")
  const advice: Advice[] = []
  if (native !== undefined && native.native?.blas === undefined) {
    advice.push({
      what: "a BLAS for matrix products",
      command: "apt-get install libopenblas0-pthread",
      brings: `faster products than the ${native.speed.gflops.toFixed(0)} GFLOP/s of WebAssembly: all of training and answering; 40 MB of disk`
    })
  }
  if (native?.native?.multipliesBfloat16 === true && find(backends, "native, bf16") === undefined) {
    const tiles = native.native.tiles
      ? ", and without it products of teachers, frozen towers and answers 1.4 times as fast by the processor's tiles (AMX)"
      : ""
    advice.push({
      what: "oneDNN for products in bf16",
      command: "apt-get install libdnnl2",
      brings: `a recipe's \`arithmetic\` bf16, whose products take half the time of f32${tiles}`
    })
  }
  if (find(backends, "gpujs:webgpu") === undefined) {
    advice.push({
      what: "a GPU",
      command: [
        ...(packages === undefined ? [] : [packages]),
        "apt-get install libvulkan1",
        "the GPU's Vulkan driver"
      ].join(", and "),
      brings: "the backend gpujs:webgpu, which auto takes where it is faster; nothing on a machine without a GPU"
    })
  }
  if (ffmpeg === null) {
    advice.push({
      what: "ffmpeg",
      command: "apt-get install ffmpeg",
      brings: "videos in containers (mp4, mkv); folders of frames and animated images need nothing"
    })
  }
  return advice
}

/** Looks at the machine and measures each backend for about a second. `directory` is where runs would be written. */
export const examine = Effect.fn("examine")(function* (directory: string) {
  const reports = yield* probeBackends(backendNames)
  const withBlas = find(reports, "native")?.native?.blas !== undefined
  const backends = reports.filter(({ name }) => name !== "native:none" || withBlas)
  const ffmpeg = yield* ffmpegVersion
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY
  const disk = yield* Effect.tryPromise(() => statfs(directory)).pipe(
    Effect.map(({ bavail, bsize }) => bavail * bsize),
    Effect.orElseSucceed(() => null)
  )
  const examination: Examination = {
    system: `${platform()} ${release()} ${arch()}`,
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory: {
      totalBytes: totalmem(),
      usableBytes: Math.min(totalmem(), constrained),
      availableBytes: process.availableMemory()
    },
    disk: { directory, freeBytes: disk },
    node: { version: process.version, supported: isSupported(process.version), needed: neededNode },
    backends,
    auto: autoOf(backends),
    ffmpeg,
    advice: adviceFor(backends, ffmpeg)
  }
  return examination
})
