/** The native backend: with the system's BLAS, without one, and with threads and SIMD that divide nothing evenly. */
import { makeNativeBackend, type NativeOptions } from "../../src/backends/native/NativeBackend.ts"
import { tolerances } from "../tolerances.ts"
import { conformance } from "./conformance.ts"
import { startMode } from "./Mode.ts"

const native = (name: string, options: NativeOptions, huge = false) =>
  startMode({
    name: `native, ${name}`,
    start: () => makeNativeBackend(options),
    bodyOf: (kernel) => kernel.native,
    tolerance: tolerances.native,
    checksIndices: true,
    huge
  })

/** Where oneDNN and a processor that multiplies bf16 are; elsewhere the reference alone has this arithmetic. */
const bfloat16 = (name: string, options: NativeOptions) =>
  startMode({
    name: `native in bf16, ${name}`,
    start: () => makeNativeBackend({ ...options, arithmetic: "bf16" }),
    bodyOf: (kernel) => kernel.native,
    tolerance: tolerances.native,
    toleranceOf: ({ name }) => (/^(selfA|a)ttention/.test(name) ? tolerances.bfloat16Attention : undefined),
    arithmetic: "bf16",
    optional: true,
    checksIndices: true,
    huge: false
  })

conformance(await native("as it starts", {}, true))
conformance(await native("without BLAS", { blas: "none", threads: 2 }))
conformance(await bfloat16("as it starts", {}))
conformance(await bfloat16("three threads, several memories", { threads: 3, memoryBytes: 2 ** 26 }))
conformance(await native("plain SIMD on three threads", { blas: "none", simd: "plain", threads: 3 }))
