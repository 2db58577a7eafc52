/** tokenizer_config.json and the chat template as the processor of transformers wants them. */
import { systemMessageOf } from "@speedq/vlm-model"

type Json = { readonly [key: string]: unknown }

/**
 * The texts by which the processor finds places of pictures and videos. "<video>", which the official conversion adds as a token of its
 * own, has no row in the embedding; the tokenizer's own mark for videos has one.
 */
const marks = {
  start_image_token: "<img>",
  end_image_token: "</img>",
  context_image_token: "<IMG_CONTEXT>",
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
 * chat_template.jinja: the template `internvl2_5`, system message included, that the model was trained with. A picture or video stands
 * before what follows it, with a newline.
 */
export const chatTemplate = (systemMessage: string | null): string =>
  `{%- if messages[0]['role'] != 'system' -%}
{{- '<|im_start|>system\\n' + ${quoted(systemMessageOf(systemMessage))} + '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{{- '${marks.context_image_token}\\n' -}}
{%- elif part['type'] == 'video' -%}
{{- '${marks.video_token}\\n' -}}
{%- elif part['type'] == 'text' -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
`
