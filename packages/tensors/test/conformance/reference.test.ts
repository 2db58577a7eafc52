/** The reference backend against itself: shapes, determinism, memory, indices. */
import { makeReferenceBackend } from "../../src/index.ts"
import { tolerances } from "../tolerances.ts"
import { conformance } from "./conformance.ts"
import { startMode } from "./Mode.ts"

conformance(
  await startMode({
    name: "reference",
    start: makeReferenceBackend,
    bodyOf: (kernel) => kernel.reference,
    tolerance: tolerances.reference,
    checksIndices: true
  })
)
