/** tokenizer_config.json and the chat template as the processor of transformers wants them. */
import { SpecialTokens, systemMessageOf } from "@speedq/vlm-model"
import type { Json } from "./LayoutFiles.ts"

const { imageContext, imageEnd, imageStart, messageEnd, messageStart } = SpecialTokens

/**
 * The texts by which the processor finds places of pictures and videos. "<video>", which the official conversion adds as a token of its
 * own, has no row in the embedding; the tokenizer's own mark for videos has one.
 */
const marks = {
  start_image_token: imageStart,
  end_image_token: imageEnd,
  context_image_token: imageContext,
  video_token: "<|video_pad|>"
}

/** The tokenizer's config with what the processor asks of it; the template has a file of its own. */
export const huggingfaceTokenizer = ({ chat_template: _template, auto_map: _code, ...config }: Json): Json => ({
  tokenizer_class: "Qwen2Tokenizer",
  ...config,
  ...marks,
  model_specific_special_tokens: marks,
  processor_class: "InternVLProcessor"
})

/** Text within a string of Jinja. */
const quoted = (text: string): string =>
  `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`

/**
 * The template `internvl2_5`, system message included, that the model was trained with. A picture or video stands before what follows it,
 * with a newline; `picture` is what the processor looks for.
 */
export const chatTemplate = (systemMessage: string | null, picture: string = marks.context_image_token): string =>
  `{%- if messages[0]['role'] != 'system' -%}
{{- '${messageStart}system\\n' + ${quoted(systemMessageOf(systemMessage))} + '${messageEnd}\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '${messageStart}' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{{- '${picture}\\n' -}}
{%- elif part['type'] == 'video' -%}
{{- '${marks.video_token}\\n' -}}
{%- elif part['type'] == 'text' -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '${messageEnd}\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '${messageStart}assistant\\n' -}}
{%- endif -%}
`
