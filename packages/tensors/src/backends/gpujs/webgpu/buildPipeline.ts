/** A compute pipeline of a text, and the layout of what is bound to it. */

const forCompute = 0x4 // GPUShaderStage.COMPUTE

export interface Pipeline {
  readonly pipeline: GPUComputePipeline
  readonly layout: GPUBindGroupLayout
}

interface Bindings {
  readonly wgsl: string
  /** Of the parameters, which are binding 0. */
  readonly parameterBytes: number
  /** Bindings that are read, and that are written (and read, in place). */
  readonly reads: readonly number[]
  readonly writes: readonly number[]
}

const bufferOf = (type: GPUBufferBindingType) => (binding: number) => ({
  binding,
  visibility: forCompute,
  buffer: { type, minBindingSize: 4 }
})

/** Raises what the compiler has against the text, with its lines. */
export const buildPipeline = async (
  device: GPUDevice,
  { wgsl, parameterBytes, reads, writes }: Bindings
): Promise<Pipeline> => {
  const uniform: GPUBufferBindingLayout = { type: "uniform", hasDynamicOffset: true, minBindingSize: parameterBytes }
  // What the device has against any of it is raised here, and is no error of its own.
  device.pushErrorScope("validation")
  const module = device.createShaderModule({ code: wgsl })
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: forCompute, buffer: uniform },
      ...reads.map(bufferOf("read-only-storage")),
      ...writes.map(bufferOf("storage"))
    ]
  })
  const building = device.createComputePipelineAsync({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" }
  })
  const [{ messages }, [built], error] = await Promise.all([
    module.getCompilationInfo(),
    Promise.allSettled([building]),
    device.popErrorScope()
  ])
  const faults = messages.filter(({ type }) => type === "error")
  if (faults.length > 0) {
    const said = faults.map(({ lineNum, linePos, message }) => `${lineNum}:${linePos} ${message}`)
    throw new Error(`WGSL that does not compile: ${said.join("; ")}\n${wgsl}`)
  }
  if (built.status === "rejected") throw new Error(error?.message ?? String(built.reason))
  return { pipeline: built.value, layout }
}
