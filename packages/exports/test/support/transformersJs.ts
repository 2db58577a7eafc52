/** Models in transformers.js, as a program in Node loads them. */

/** What a tensor of it has of interest here. */
interface Values {
  readonly data: ArrayLike<number | bigint>
  readonly dims: readonly number[]
}

interface Library {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean; localModelPath: string }
  readonly AutoProcessor: { from_pretrained(directory: string): Promise<Processor> }
  readonly AutoModelForImageTextToText: { from_pretrained(directory: string, options: object): Promise<Model> }
  readonly RawImage: { fromBlob(blob: Blob): Promise<object> }
  readonly Tensor: new (
    type: string,
    data: Float32Array | BigInt64Array,
    dims: readonly number[]
  ) => Values & { readonly ort_tensor: unknown }
}

interface Processor {
  (image: object, text: string): Promise<{ readonly [name: string]: Values }>
  apply_chat_template(messages: readonly object[], options: object): string
  batch_decode(ids: Values, options: object): readonly string[]
}

interface Model {
  (inputs: object): Promise<{ readonly logits: Values }>
  generate(
    inputs: object
  ): Promise<Values & { slice(...ranges: readonly (null | readonly (number | null)[])[]): Values }>
  dispose(): Promise<unknown>
  readonly sessions: {
    readonly vision_encoder: { run(feeds: object): Promise<{ readonly [name: string]: Values }> }
  }
}

/** What a question becomes there. */
export interface Asked {
  readonly ids: readonly number[]
  readonly pixels: readonly number[]
  readonly logits: readonly number[]
}

export interface Loaded {
  /** A question about one picture, up to the logits of every token. */
  readonly ask: (picture: Uint8Array, question: string) => Promise<Asked>
  /** The same of pixels [tiles, 3, size, size], and ids [T] that have their places. */
  readonly logits: (pixels: Float32Array, tiles: number, ids: ArrayLike<number>) => Promise<readonly number[]>
  /** Visual tokens [tiles, tokens, H] of pixels [tiles, 3, size, size]. */
  readonly see: (pixels: Float32Array, tiles: number) => Promise<readonly number[]>
  readonly answer: (picture: Uint8Array, question: string, maxNewTokens: number) => Promise<string>
  readonly answerTiles: (
    pixels: Float32Array,
    tiles: number,
    ids: ArrayLike<number>,
    maxNewTokens: number
  ) => Promise<string>
  readonly close: () => Promise<unknown>
}

const numbers = ({ data }: Values): readonly number[] => Array.from(data, Number)

/** Loads an export as a program does that knows nothing of it. */
export const openInTransformers = async (directory: string): Promise<Loaded> => {
  const library = (await import("@huggingface/transformers")) as unknown as Library
  const { env, AutoProcessor, AutoModelForImageTextToText, RawImage, Tensor } = library
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "" })
  const processor = await AutoProcessor.from_pretrained(directory)
  const model = await AutoModelForImageTextToText.from_pretrained(directory, { device: "cpu" })
  const inputsOf = async (picture: Uint8Array, question: string) => {
    const content = [{ type: "image" }, { type: "text", text: question }]
    const text = processor.apply_chat_template([{ role: "user", content }], { add_generation_prompt: true })
    return processor(await RawImage.fromBlob(new Blob([picture as Uint8Array<ArrayBuffer>])), text)
  }
  const tilesOf = (pixels: Float32Array, tiles: number, ids: ArrayLike<number>) => {
    const side = Math.sqrt(pixels.length / tiles / 3)
    const whole = (values: ArrayLike<number>) =>
      new Tensor("int64", BigInt64Array.from(Array.from(values), BigInt), [1, ids.length])
    return {
      pixel_values: new Tensor("float32", pixels, [tiles, 3, side, side]),
      input_ids: whole(ids),
      attention_mask: whole(Array.from(ids, () => 1))
    }
  }
  const generate = async (inputs: { readonly input_ids: Values }, max_new_tokens: number) => {
    const prompt = inputs.input_ids.dims[1]!
    const generated = await model.generate({ ...inputs, max_new_tokens, do_sample: false })
    const [text] = processor.batch_decode(generated.slice(null, [prompt, null]), { skip_special_tokens: true })
    return text!.trim()
  }
  return {
    ask: async (picture, question) => {
      const inputs = await inputsOf(picture, question)
      const { logits } = await model(inputs)
      return { ids: numbers(inputs["input_ids"]!), pixels: numbers(inputs["pixel_values"]!), logits: numbers(logits) }
    },
    logits: async (pixels, tiles, ids) => numbers((await model(tilesOf(pixels, tiles, ids))).logits),
    see: async (pixels, tiles) => {
      const { ort_tensor } = tilesOf(pixels, tiles, []).pixel_values
      const { image_features } = await model.sessions.vision_encoder.run({ pixel_values: ort_tensor })
      return numbers(image_features!)
    },
    answer: async (picture, question, maxNewTokens) =>
      generate((await inputsOf(picture, question)) as { readonly input_ids: Values }, maxNewTokens),
    answerTiles: (pixels, tiles, ids, maxNewTokens) => generate(tilesOf(pixels, tiles, ids), maxNewTokens),
    close: () => model.dispose()
  }
}
