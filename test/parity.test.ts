/** Every fixture of test/fixtures on the backends that are always there: what PyTorch computed is what they compute. */
import { makeReferenceBackend, openBackend } from "@speedq/tensors"
import { afterAll, assert, describe, it } from "vitest"
import { checkFixture, describeOutcome, fixtureNames, passed } from "./parity/run.ts"

const directory = "test/fixtures"
const names = fixtureNames(directory)
const backends = [makeReferenceBackend(), await openBackend("native"), await openBackend("native:none")]

afterAll(() => Promise.all(backends.map((backend) => backend.close())))

it("finds the fixtures", () => {
  assert.isAtLeast(names.length, 72)
})

describe.each(backends)("parity on $name", (backend) => {
  it.each(names)("%s", async (name) => {
    const outcome = await checkFixture(directory, name, backend)
    assert.isTrue(passed(outcome), describeOutcome(outcome))
  })
})

/** The checks take sizes from the checkpoint and the fixture: they hold for other ones than those that are shipped. */
describe("parity at other sizes", () => {
  const others = "test/otherSizes"

  it.each(fixtureNames(others))("%s", async (name) => {
    const outcome = await checkFixture(others, name, backends[1]!)
    assert.isTrue(passed(outcome), describeOutcome(outcome))
  })
})

/** GPU.js has the network too: its WebAssembly mode, which is always there. */
describe("parity on gpujs:webasm", async () => {
  const gpujs = await openBackend("gpujs:webasm")
  afterAll(() => gpujs.close())
  const network = names.filter((name) => /^internvl3(_5\w*)?\/(forward|pixel)-/.test(name))

  it("finds the fixtures of the network", () => {
    assert.strictEqual(gpujs.name, "gpujs:webasm")
    assert.isAtLeast(network.length, 8)
  })

  it.each(network)("%s", async (name) => {
    const outcome = await checkFixture(directory, name, gpujs)
    assert.isTrue(passed(outcome), describeOutcome(outcome))
  })
})

describe("a parity check", () => {
  it("misses a fixture that it does not know", async () => {
    const outcome = await checkFixture(directory, "somewhere/unknown", backends[0]!)
    assert.isFalse(passed(outcome))
    assert.strictEqual(describeOutcome(outcome), "MISS somewhere/unknown: no check knows this fixture")
  })

  it("misses a fixture that cannot be read, and says why", async () => {
    const outcome = await checkFixture(directory, "quantizers/n2f3-missing", backends[0]!)
    assert.isFalse(passed(outcome))
    assert.include(describeOutcome(outcome), "n2f3-missing.safetensors")
  })
})
