/** Values that a person types on a command line: JSON where they are JSON, the text itself elsewhere. */
import { jsonString } from "@speedq/formats"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"

const decode = Schema.decodeUnknownOption(jsonString(Schema.Json))

/** What a text is as JSON; undefined where it is none. */
export const decodeJson = (text: string): Json | undefined => Option.getOrUndefined(decode(text))

/** @example jsonOrText("3") // 3, and jsonOrText("three") // "three" */
export const jsonOrText = (text: string): Json => Option.getOrElse(decode(text), () => text)
