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

conformance(await native("as it starts", {}, true))
conformance(await native("without BLAS", { blas: "none", threads: 2 }))
conformance(await native("plain SIMD on three threads", { blas: "none", simd: "plain", threads: 3 }))
