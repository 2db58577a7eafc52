import { Safetensors, typedView } from "@speedq/formats"

/** The f32 numbers of a tensor of a safetensors file. */
export const savedNumbers = (file: string, name: string): Float32Array => {
  const store = Safetensors.openSync(file)
  const numbers = Float32Array.from(typedView("F32", store.read(name)))
  store.close()
  return numbers
}
