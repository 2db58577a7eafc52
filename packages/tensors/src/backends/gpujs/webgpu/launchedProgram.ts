/** A program of GPU.js as the device launches it: pipelines built on first use, parameters written, buffers bound. */
import type { GPU } from "gpu.js"
import { sizeOf } from "../../../core/Shape.ts"
import type { CompiledProgram } from "../Device.ts"
import type { GpujsProgram } from "../GpujsBody.ts"
import { type Bindable, type BindGroups, nextPipeline } from "./bindGroups.ts"
import { buildPipeline } from "./buildPipeline.ts"
import type { PooledBuffer } from "./PooledBuffer.ts"
import type { Kind } from "./packing.ts"
import type { Recorder } from "./recorder.ts"
import { bindingOfRead, bindingOfResult, inPlaceOf, readingOf, translateProgram } from "./translateProgram.ts"
import type { DeviceWatch } from "./watchDevice.ts"
import { workgroupsOf } from "./workgroups.ts"

export interface Stored {
  readonly buffer: PooledBuffer
  /** Elements. */
  readonly length: number
  readonly kind: Kind
}

interface LaunchContext {
  /** The backend that errors name. */
  readonly mode: string
  readonly gpu: GPU
  readonly device: GPUDevice
  readonly recorder: Recorder
  readonly groups: BindGroups
  readonly take: (length: number) => Stored
  readonly upload: (values: Float32Array) => Stored
  readonly release: (stored: Stored) => void
  readonly watch: DeviceWatch
}

/** How operands are stored that are not all f32, else "". */
const kindsOf = (operands: readonly Stored[]): string => {
  for (const { kind } of operands) if (kind !== "f32") return operands.map((operand) => operand.kind).join()
  return ""
}

/** The operand whose place the result can take: the program reads it by the output's name, and nothing else is bound to its buffer. */
const placeOf = ({ output, reads, extent }: GpujsProgram, operands: readonly Stored[]): number => {
  const index = reads.indexOf(output)
  if (index < 0) return -1
  const { buffer, length, kind } = operands[index]!
  if (length !== sizeOf(extent) || kind !== "f32") return -1
  for (let i = 0; i < operands.length; i++) if (i !== index && operands[i]!.buffer === buffer) return -1
  return index
}

export const launchedProgram = (
  { mode, gpu, device, recorder, groups, take, upload, release, watch }: LaunchContext,
  kernel: string,
  program: GpujsProgram
): CompiledProgram<Stored> => {
  const most = device.limits.maxStorageBuffersPerShaderStage
  const bindings = program.reads.length + Object.keys(program.tables ?? {}).length + 1
  if (bindings > most) throw new Error(`it needs ${bindings} storage buffers, the device binds ${most}`)
  const workgroupsAlongAxis = device.limits.maxComputeWorkgroupsPerDimension
  const translated = translateProgram(gpu, kernel, program)
  const { reads, scalars, workgroup, parameterBytes } = translated
  const tables = translated.tables.map((table) => upload(program.tables![table]!))
  const result = bindingOfResult(translated)
  /** By how operands are stored, and by the operand whose place the result takes, from -1. */
  const built = new Map<string, Bindable[]>()

  /** Operands, then the result unless it takes the place of one, then tables. */
  const build = async (place: number, stored: readonly Stored[], kinds: string): Promise<Bindable> => {
    const reading = readingOf(
      translated,
      stored.map(({ kind }) => kind)
    )
    const operands = reads.map((_, index) => (index === place ? result : bindingOfRead(index)))
    const ofTables = tables.map((_, index) => result + 1 + index)
    const building = buildPipeline(device, {
      wgsl: place < 0 ? reading.wgsl : inPlaceOf(reading, place),
      parameterBytes,
      reads: [...operands.filter((binding) => binding !== result), ...ofTables],
      writes: [result]
    })
    const pipeline = await watch.orLost(building)
    const bindings = [...operands, ...(place < 0 ? [result] : []), ...ofTables]
    const bindable = { ...pipeline, kernel, number: nextPipeline(), parameterBytes, bindings, last: undefined }
    const ofKinds = built.get(kinds) ?? []
    ofKinds[place + 1] = bindable
    built.set(kinds, ofKinds)
    return bindable
  }
  const writeParameters = (given: GpujsProgram, operands: readonly Stored[], threads: number) => {
    const { unsigned, whole, real, at } = recorder.parametersOf(parameterBytes)
    const [x = 1, y = 1, z = 1] = given.extent
    unsigned[at] = x
    unsigned[at + 1] = y
    unsigned[at + 2] = z
    unsigned[at + 3] = threads
    for (let i = 0; i < operands.length; i++) {
      const word = at + reads[i]!.extents / 4
      unsigned[word] = operands[i]!.length
      unsigned[word + 1] = 1
      unsigned[word + 2] = 1
      unsigned[word + 3] = operands[i]!.length
    }
    let next = 0
    const write = (value: number) => {
      const { at: byte, whole: isWhole } = scalars[next++]!
      if (isWhole) whole[at + byte / 4] = value
      else real[at + byte / 4] = value
    }
    if (given.scalars) for (const value of given.scalars) write(value)
    for (const name in given.sizes) write(given.sizes[name]!)
  }
  const launch = (given: GpujsProgram, operands: readonly Stored[], place: number, bindable: Bindable): Stored => {
    const { workgroups, threads } = workgroupsOf({ kernel, mode }, given.extent, workgroup, workgroupsAlongAxis)
    const stored = place < 0 ? take(sizeOf(given.extent)) : operands[place]!
    const buffers = operands.map(({ buffer }) => buffer)
    if (place < 0) buffers.push(stored.buffer)
    for (const { buffer } of tables) buffers.push(buffer)
    writeParameters(given, operands, threads)
    recorder.launch(groups.of(bindable, buffers), workgroups)
    return stored
  }
  return {
    run: (given, operands) => {
      watch.assertThere()
      const place = placeOf(given, operands)
      const kinds = kindsOf(operands)
      const ready = built.get(kinds)?.[place + 1]
      if (ready !== undefined) return launch(given, operands, place, ready)
      return build(place, operands, kinds).then((first) => launch(given, operands, place, first))
    },
    destroy: () => {
      for (const table of tables) release(table)
    }
  }
}
