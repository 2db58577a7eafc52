/** One tensor through `@speedq/quantizers`, with nothing else installed. */
import { bilevel, packWeight } from "@speedq/quantizers"
import { openBackend, tensor } from "@speedq/tensors"

const backend = await openBackend("native")
const { quantizer, config } = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const weight = tensor(
  backend,
  Float32Array.from({ length: 32 * 64 }, (_, i) => Math.sin(i)),
  [32, 64]
)
const packed = await packWeight("weight", { quantizer, config }, weight.shape, quantizer.quantize(config, weight))
const trained = await quantizer.fakeQuantize(config, weight).read()
const same = (await packed.unpack().read()).every((value, index) => value === trained[index])
console.log(`${packed.bytes} bytes, ${same ? "the same" : "other"} bits`)
await backend.close()
