/** The GPU as WebGPU describes it: its names, features and limits. */
import { arch, cpus, release } from "node:os"
import { openBackend } from "@speedq/tensors"
import {
  type MatrixAdapter,
  matrixFeatures,
  tellConfiguration
} from "../../packages/tensors/src/backends/gpujs/webgpu/matrices.ts"
import { provideWebgpu } from "../../packages/tensors/src/system/node/webgpu.ts"
import type { Part } from "./report.ts"

/** The names and numbers of an object whose members are getters of a class. */
const membersOf = (object: object): { readonly [name: string]: unknown } =>
  Object.fromEntries(
    Object.getOwnPropertyNames(Object.getPrototypeOf(object))
      .filter((name) => name !== "constructor" && !name.startsWith("__"))
      .map((name) => [name, (object as { readonly [name: string]: unknown })[name]])
      .filter(([, value]) => typeof value !== "function" && typeof value !== "object")
  )

export const adapter: Part = async (print) => {
  const machine = {
    node: process.version,
    system: `${process.platform} ${arch()} ${release()}`,
    processor: cpus()[0]?.model
  }
  print({ machine, cores: cpus().length })
  const backend = await openBackend("gpujs:webgpu")
  const { gpu } = navigator as unknown as { readonly gpu: GPU }
  const found = await gpu.requestAdapter()
  if (found === null) throw new Error("WebGPU found an adapter, and then none")
  await backend.close()
  print({
    backend: backend.name,
    info: membersOf(found.info),
    features: [...found.features].sort(),
    limits: membersOf(found.limits)
  })
  const experimental = await (await provideWebgpu("gpujs:webgpu+f16", true)).requestAdapter()
  if (experimental === null) return
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = experimental.info as MatrixAdapter["info"]
  print({
    matrices: [...subgroupMatrixConfigs].map(tellConfiguration),
    subgroups: [subgroupMinSize, subgroupMaxSize],
    features: matrixFeatures.filter((feature) => experimental.features.has(feature))
  })
}
