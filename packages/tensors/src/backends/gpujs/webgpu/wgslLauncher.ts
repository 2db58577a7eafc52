/** Kernels' own WGSL on the device: pipelines built on first use, parameters written, buffers bound. */
import { UnsupportedKernel } from "../../../core/Errors.ts"
import { type Bindable, type BindGroups, nextPipeline } from "./bindGroups.ts"
import { buildPipeline } from "./buildPipeline.ts"
import type { Stored } from "./launchedProgram.ts"
import { bytesOfWords, type Kind, readOf, wideningOf } from "./packing.ts"
import type { Recorder } from "./recorder.ts"
import type { WgslLaunch, WgslProgram } from "./WebgpuBody.ts"
import type { DeviceWatch } from "./watchDevice.ts"

interface LauncherContext {
  /** The backend that errors name. */
  readonly mode: string
  readonly device: GPUDevice
  readonly recorder: Recorder
  readonly groups: BindGroups
  readonly take: (length: number, kind: Kind) => Stored
  readonly release: (stored: Stored) => void
  readonly watch: DeviceWatch
}

/** The text with its declarations, for operands that are stored as `kinds`, in the order of its reads. */
const wgslOf = (program: WgslProgram, kinds: readonly Kind[]): string => {
  const { reads, writes, whole = [], real = [], widened = [], packs, directives = "", text } = program
  const members = [...whole.map((name) => `${name}: u32`), ...real.map((name) => `${name}: f32`)]
  const bind = (access: string, binding: number, name: string, kind: Kind) =>
    `@group(0) @binding(${binding}) var<storage, ${access}> ${name}: array<${kind === "f32" ? "f32" : "u32"}>;`
  return [
    directives,
    `struct Parameters { ${members.join(", ") || "none: u32"} }`,
    "@group(0) @binding(0) var<uniform> p: Parameters;",
    ...reads.map((name, i) => bind("read", 1 + i, name, kinds[i]!)),
    ...writes.map((name, i) => bind("read_write", 1 + reads.length + i, name, packs ?? "f32")),
    ...widened.map((name) => {
      const element = readOf(kinds[reads.indexOf(name)]!, name, "i")
      return `fn ${name}_at(i: u32) -> f32 { return ${element}; }`
    }),
    wideningOf(kinds),
    text
  ].join("\n")
}

/** Bytes of `p`: a uniform struct ends at a multiple of 16. */
const parameterBytesOf = ({ whole = [], real = [] }: WgslProgram): number =>
  16 * Math.max(1, Math.ceil((whole.length + real.length) / 4))

const assertFits = (
  mode: string,
  kernel: string,
  { program, reads, writes, whole = [], real = [] }: WgslLaunch
): void => {
  const given = [reads, writes, whole, real].map(({ length }) => length).join(", ")
  const named = [program.reads, program.writes, program.whole ?? [], program.real ?? []]
  const expected = named.map(({ length }) => length).join(", ")
  if (given === expected) return
  const reason = `its text names ${expected} operands, results, whole and real numbers, the launch gives ${given}`
  throw new UnsupportedKernel(kernel, mode, reason)
}

/** Raises UnsupportedKernel where storage is of a kind that the text does not read, or write. */
const assertKinds = (
  mode: string,
  kernel: string,
  program: WgslProgram,
  reads: readonly Stored[],
  writes: readonly Stored[]
) => {
  const { widened = [], packs = "f32" } = program
  const read = reads.findIndex(({ kind }, i) => kind !== "f32" && !widened.includes(program.reads[i]!))
  if (read >= 0) {
    const reason = `its WGSL reads "${program.reads[read]}" as f32, not as ${reads[read]!.kind}`
    throw new UnsupportedKernel(kernel, mode, reason)
  }
  const written = writes.findIndex(({ kind }) => kind !== packs)
  if (written >= 0) {
    const reason = `its WGSL writes "${program.writes[written]}" as ${packs}, not as ${writes[written]!.kind}`
    throw new UnsupportedKernel(kernel, mode, reason)
  }
}

/** How operands are stored that may be packed. */
const kindsOf = ({ widened }: WgslProgram, reads: readonly Stored[]): string =>
  widened === undefined ? "" : reads.map(({ kind }) => kind).join()

export const makeWgslLauncher = ({ mode, device, recorder, groups, take, release, watch }: LauncherContext) => {
  /** By how operands are stored. */
  const built = new Map<string, Map<WgslProgram, Bindable>>()

  const build = async (
    kernel: string,
    launch: WgslLaunch,
    reads: readonly Stored[],
    kinds: string
  ): Promise<Bindable> => {
    assertFits(mode, kernel, launch)
    const { program } = launch
    const count = program.reads.length + program.writes.length
    const most = device.limits.maxStorageBuffersPerShaderStage
    if (count > most) {
      throw new UnsupportedKernel(kernel, mode, `its WGSL needs ${count} storage buffers, the device binds ${most}`)
    }
    const parameterBytes = parameterBytesOf(program)
    const bindings = Array.from({ length: count }, (_, i) => 1 + i)
    const building = buildPipeline(device, {
      wgsl: wgslOf(
        program,
        reads.map(({ kind }) => kind)
      ),
      parameterBytes,
      reads: bindings.slice(0, program.reads.length),
      writes: bindings.slice(program.reads.length)
    }).catch((error: Error) => {
      throw new UnsupportedKernel(kernel, mode, error.message)
    })
    const pipeline = await watch.orLost(building)
    const bindable = { ...pipeline, kernel, number: nextPipeline(), parameterBytes, bindings, last: undefined }
    const ofKinds = built.get(kinds) ?? new Map<WgslProgram, Bindable>()
    built.set(kinds, ofKinds.set(program, bindable))
    return bindable
  }
  const writeParameters = ({ whole = [], real = [] }: WgslLaunch, parameterBytes: number) => {
    const { unsigned, real: reals, at } = recorder.parametersOf(parameterBytes)
    for (let i = 0; i < whole.length; i++) unsigned[at + i] = whole[i]!
    for (let i = 0; i < real.length; i++) reals[at + whole.length + i] = real[i]!
  }
  /** No buffer can be bound both to be read and to be written. */
  const apart = (reads: readonly Stored[], writes: readonly Stored[], copies: Stored[]): readonly Stored[] =>
    reads.map((read) => {
      if (!writes.some(({ buffer }) => buffer === read.buffer)) return read
      const copy = take(read.length, read.kind)
      copies.push(copy)
      recorder.copy(read.buffer, copy.buffer.gpu, 0, bytesOfWords(read.kind, read.length))
      return copy
    })
  const record = (launch: WgslLaunch, bindable: Bindable, reads: readonly Stored[], writes: readonly Stored[]) => {
    const copies: Stored[] = []
    const buffers = [...apart(reads, writes, copies), ...writes].map(({ buffer }) => buffer)
    writeParameters(launch, bindable.parameterBytes)
    recorder.launch(groups.of(bindable, buffers), launch.workgroups)
    for (const copy of copies) release(copy)
  }
  return {
    /** Runs a launch over storage for each of its names; later where its program has to be compiled first. Raises UnsupportedKernel. */
    run: (
      kernel: string,
      launch: WgslLaunch,
      reads: readonly Stored[],
      writes: readonly Stored[]
    ): void | Promise<void> => {
      watch.assertThere()
      assertKinds(mode, kernel, launch.program, reads, writes)
      const kinds = kindsOf(launch.program, reads)
      const ready = built.get(kinds)?.get(launch.program)
      if (ready !== undefined) return record(launch, ready, reads, writes)
      return build(kernel, launch, reads, kinds).then((bindable) => record(launch, bindable, reads, writes))
    }
  }
}
