/** Runs tests on the reference backend and on the native one. */
import { type Backend, makeReferenceBackend, openBackend } from "@speedq/tensors"
import { afterAll, describe } from "vitest"

const backends = [makeReferenceBackend(), await openBackend("native:none")]

export const onEveryBackend = (what: string, tests: (backend: Backend) => void): void => {
  describe.each(backends)(`${what} ($name)`, (backend) => {
    tests(backend)
    afterAll(() => backend.close())
  })
}
