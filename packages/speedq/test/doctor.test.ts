import { webgpuInstallCommand } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { adviceFor, type Examination } from "../src/doctor/examine.ts"
import { processJson, temporaryDirectory } from "./support/speedq.ts"

describe("speedq doctor", () => {
  it("reports the machine and every backend as one JSON document, from any directory", async () => {
    const report = (await processJson(["doctor"], { cwd: temporaryDirectory() })) as Examination
    assert.isAbove(report.cores, 0)
    assert.isAbove(report.memory.usableBytes, 0)
    assert.isTrue(report.node.supported)
    const backends = new Map(report.backends.map((each) => [each.name, each]))
    assert.includeMembers(
      [...backends.keys()],
      [
        "native",
        "gpujs:webgpu",
        "gpujs:webgpu+f16",
        "gpujs:webgpu+f16x3",
        "gpujs:headlessgl",
        "gpujs:webasm",
        "reference"
      ]
    )
    for (const name of ["native", "reference"]) {
      const found = backends.get(name)!
      assert.isTrue(found.answers, JSON.stringify(found))
      if (found.answers) assert.isAbove(found.speed.gflops, 0)
    }
    for (const found of backends.values()) if (!found.answers) assert.isNotEmpty(found.reason)
    const gpu = backends.get("gpujs:webgpu")!
    assert.match(
      report.auto!.why,
      gpu.answers ? /^the GPU multiplies at .* GFLOP\/s, the processor at / : /^no GPU answers: ./
    )
    const advised = report.advice.map(({ what }) => what)
    assert.strictEqual(advised.includes("ffmpeg"), report.ffmpeg === null)
    const native = backends.get("native")!
    assert.strictEqual(
      advised.includes("a BLAS for matrix products"),
      native.answers && native.native?.blas === undefined
    )
    assert.strictEqual(
      advised.includes("oneDNN for products in bf16"),
      native.answers && native.native?.multipliesBfloat16 === true && !backends.get("native, bf16")!.answers
    )
    const bfloat16 = backends.get("native, bf16")!
    if (bfloat16.answers) assert.match(bfloat16.what, /bf16 by oneDNN \d/)
    else assert.match(bfloat16.reason, /no arithmetic in bf16: .*bf16-or-f32/)
  })

  it("says which npm packages a GPU lacks", () => {
    const gpu = (packages: string | undefined) =>
      adviceFor([], "ffmpeg 5", packages).find(({ what }) => what === "a GPU")?.command
    const command = webgpuInstallCommand(() => false)
    assert.match(command!, /^npm install gpu\.js@\^\d\S+ webgpu@\^\d\S+$/)
    assert.match(webgpuInstallCommand((name) => name === "gpu.js")!, /^npm install webgpu@\S+$/)
    assert.isUndefined(webgpuInstallCommand(() => true))
    assert.strictEqual(gpu(command), `${command}, and apt-get install libvulkan1, and the GPU's Vulkan driver`)
  })

  it("survives a backend that takes its process down, and goes on", async () => {
    const crash = `
      const send = process.send
      if (process.argv[1]?.includes("probe")) process.send = (report, sent) =>
        report.name === "gpujs:webasm" ? process.kill(process.pid, "SIGKILL") : send.call(process, report, sent)`
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(crash)}` }
    const { backends } = (await processJson(["doctor"], { env })) as Examination
    const answered = new Map(backends.map((each) => [each.name, each.answers]))
    assert.isFalse(answered.get("gpujs:webasm"))
    assert.isTrue(answered.get("native"))
    assert.isTrue(answered.get("reference"))
    const crashed = backends.find(({ name }) => name === "gpujs:webasm")!
    if (!crashed.answers) assert.match(crashed.reason, /^its process ended with SIGKILL/)
  })
})
