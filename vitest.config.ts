import { existsSync, readdirSync, readFileSync, statfsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"

/** What vitest 5 prints failures with; Node 20 does not have it. */
const groupBy = <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>()
  let index = 0
  for (const item of items) {
    const key = keyOf(item, index++)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}
const map: typeof Map & { groupBy?: typeof groupBy } = Map
map.groupBy ??= groupBy

// Packages resolve to their sources (condition @speedq/source), so tests need no build except for WebAssembly modules.
const conditions = ["@speedq/source"]
const folder = fileURLToPath(new URL("./packages", import.meta.url))
const packages = readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/package.json`))
const nameOf = (folderName: string): string =>
  (JSON.parse(readFileSync(`${folder}/${folderName}/package.json`, "utf8")) as { readonly name: string }).name

/** What `npm run test:fast` leaves out: everything on every backend, processes that are killed, whole recipes, programs that are run. */
const slow = [
  "packages/adaround/test/reconstruct.test.ts",
  "packages/cluster/test/!(placement).test.ts",
  "packages/distillation/test/losses.test.ts",
  "packages/exports/test/{ggufConsumer,onnx/chromium,onnx/transformers}.test.ts",
  "packages/evaluation/test/{allBenchmarks,evaluate}.test.ts",
  "packages/formats/test/{finite,fuzz}.test.ts",
  "packages/pipeline/test/{checkpoints,faults,readme}.test.ts",
  "packages/quantizers/test/oneFunction.test.ts",
  "packages/speedq/test/!({normalTable,textTable}).test.ts",
  "packages/stages/test/!({SampleOrder,productSpeed,torchFile}).test.ts",
  "packages/tensors/test/{conformance,gpujs,native}/**",
  "packages/vlm-model/test/{Tokenizer,answer,answerTogether,loadWeights}.test.ts",
  "test/!({benchmarks,configs}).test.ts"
]

/**
 * Runs flush every file that they save, which costs a disk ten milliseconds: tests write to memory where the system has such a file system
 * with enough room.
 */
const inMemory = (): { readonly TMPDIR?: string } => {
  const [memory, room] = ["/dev/shm", 4 * 2 ** 30]
  if (process.env["TMPDIR"] !== undefined || !existsSync(memory)) return {}
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize < room ? {} : { TMPDIR: memory }
}
const temporaries = inMemory()
/** Packages that make runs, exports and evaluations. */
const flushing = [
  ...["@speedq/cluster", "@speedq/evaluation", "@speedq/exports", "@speedq/pipeline", "@speedq/stages", "speedq"]
]

/** Files that take the place of functions of Node before anything has loaded them: each has a process of its own. */
const alone = "**/*.ownProcess.test.ts"

/** Tests keep all cores busy by themselves; threads that wait for each other would only slow them. Those of the threads are in tensors. */
const oneThread = { SPEEDQ_THREADS: "1" }

export default defineConfig(({ mode }) => {
  const exclude = [...configDefaults.exclude, ...(mode === "fast" ? slow : [])]
  const project = (name: string, include: string) => ({
    extends: true as const,
    test: {
      name,
      include: [include],
      exclude: [...exclude, alone],
      env: {
        ...(name === "@speedq/tensors" ? {} : oneThread),
        ...(flushing.includes(name) ? temporaries : {})
      }
    }
  })
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      // Only a test that hangs takes as long: what is slow on a busy machine is no fault.
      testTimeout: 300_000,
      hookTimeout: 300_000,
      maxWorkers: 2,
      // Files share a process, so that each does not load the packages again; a file that changes what is global puts it back.
      isolate: false,
      // Packages share most modules: each is transformed once, and kept for the next run.
      fsModuleCache: true,
      projects: [
        ...packages.map((name) => project(nameOf(name), `packages/${name}/test/**/*.test.ts`)),
        project("repository", "test/**/*.test.ts"),
        {
          extends: true as const,
          test: {
            name: "own process",
            include: ["test", "packages/*/test"].map((place) => `${place}/${alone}`),
            exclude,
            env: { ...oneThread, ...temporaries },
            isolate: true
          }
        }
      ]
    }
  }
})
