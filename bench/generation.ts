/** The language model of InternVL3-1B with bf16 weights: prefill of a prompt, then tokens one by one from the cache. */
import { makeNativeBackend, matmul, type NativeBackend } from "@speedq/tensors"
import { generateTokens, greedy, linearLayers, towerOf, weightsFrom } from "@speedq/vlm-model"
import { type Flags, machine, median, normal, timed } from "./measure.ts"
import { bytesOfWeights, peakGib, realConfig, realWeights } from "./realModel.ts"
