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

/** What PyTorch computed under autocast: by the definition, and by oneDNN where it is. */
describe("parity in bf16", async () => {
  const products = await openBackend("native", { arithmetic: "bf16" }).catch((error: Error) => error.message)
  const [reference] = backends
  const network = fixtureNames(directory, "bf16")
  afterAll(() => (typeof products === "string" ? undefined : products.close()))

  it("finds the fixtures", () => {
    assert.isAtLeast(network.length, 4)
  })

  it.each(network)("%s on the reference", async (name) => {
    const outcome = await checkFixture(directory, name, reference!.withArithmetic("bf16"))
    assert.isTrue(passed(outcome), describeOutcome(outcome))
  })

  it.for(network)("%s on native", async (name, { skip }) => {
    if (typeof products === "string") return skip(products)
    const outcome = await checkFixture(directory, name, products)
    assert.isTrue(passed(outcome), describeOutcome(outcome))
  })

  it.each(network.filter((name) => name.startsWith("autocast/")))(
    "%s in f32 misses: the tolerances tell one arithmetic from the other",
    async (name) => {
      assert.isFalse(passed(await checkFixture(directory, name, reference!)))
    }
  )
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
