/** Kernels' own WGSL on the device: pipelines built on first use, parameters written, buffers bound. */
import { UnsupportedKernel } from "../../../core/Errors.ts"
import { type Bindable, type BindGroups, nextPipeline } from "./bindGroups.ts"
import { buildPipeline } from "./buildPipeline.ts"
import type { Stored } from "./launchedProgram.ts"
import { modeName } from "./openDevice.ts"
import type { Recorder } from "./recorder.ts"
import type { WgslLaunch, WgslProgram } from "./WebgpuBody.ts"

interface LauncherContext {
  readonly device: GPUDevice
  readonly recorder: Recorder
  readonly groups: BindGroups
  readonly take: (length: number) => Stored
  readonly release: (stored: Stored) => void
  /** Raises BackendUnavailable once the device is gone. */
  readonly assertThere: () => void
}

/** The text with its declarations. */
const wgslOf = ({ reads, writes, whole = [], real = [], text }: WgslProgram): string => {
  const members = [...whole.map((name) => `${name}: u32`), ...real.map((name) => `${name}: f32`)]
  const bind = (access: string, first: number) => (name: string, i: number) =>
    `@group(0) @binding(${first + i}) var<storage, ${access}> ${name}: array<f32>;`
  return [
    `struct Parameters { ${members.join(", ") || "none: u32"} }`,
    "@group(0) @binding(0) var<uniform> p: Parameters;",
    ...reads.map(bind("read", 1)),
    ...writes.map(bind("read_write", 1 + reads.length)),
    text
  ].join("\n")
}

/** Bytes of `p`: a uniform struct ends at a multiple of 16. */
const parameterBytesOf = ({ whole = [], real = [] }: WgslProgram): number =>
  16 * Math.max(1, Math.ceil((whole.length + real.length) / 4))

const assertFits = (kernel: string, { program, reads, writes, whole = [], real = [] }: WgslLaunch): void => {
  const given = [reads, writes, whole, real].map(({ length }) => length).join(", ")
  const named = [program.reads, program.writes, program.whole ?? [], program.real ?? []]
  const expected = named.map(({ length }) => length).join(", ")
  if (given === expected) return
  const reason = `its text names ${expected} operands, results, whole and real numbers, the launch gives ${given}`
  throw new UnsupportedKernel(kernel, modeName, reason)
}

export const makeWgslLauncher = ({ device, recorder, groups, take, release, assertThere }: LauncherContext) => {
  const built = new Map<WgslProgram, Bindable>()

  const build = async (kernel: string, launch: WgslLaunch): Promise<Bindable> => {
    assertFits(kernel, launch)
    const { program } = launch
    const count = program.reads.length + program.writes.length
    const most = device.limits.maxStorageBuffersPerShaderStage
    if (count > most) {
      throw new UnsupportedKernel(kernel, modeName, `its WGSL needs ${count} storage buffers, the device binds ${most}`)
    }
    const parameterBytes = parameterBytesOf(program)
    const bindings = Array.from({ length: count }, (_, i) => 1 + i)
    const pipeline = await buildPipeline(device, {
      wgsl: wgslOf(program),
      parameterBytes,
      reads: bindings.slice(0, program.reads.length),
      writes: bindings.slice(program.reads.length)
    }).catch((error: Error) => {
      throw new UnsupportedKernel(kernel, modeName, error.message)
    })
    const bindable = { ...pipeline, kernel, number: nextPipeline(), parameterBytes, bindings, last: undefined }
    built.set(program, bindable)
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
      const copy = take(read.length)
      copies.push(copy)
      recorder.copy(read.buffer, copy.buffer.gpu, 0, 4 * read.length)
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
      assertThere()
      const ready = built.get(launch.program)
      if (ready !== undefined) return record(launch, ready, reads, writes)
      return build(kernel, launch).then((bindable) => record(launch, bindable, reads, writes))
    }
  }
}
