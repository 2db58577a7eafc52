/** Something that a user adds and that is not what it has to be. */
import * as Schema from "effect/Schema"

export class PluginInvalid extends Schema.TaggedError<PluginInvalid>()("PluginInvalid", {
  /** The file, or the name, of the plugin. */
  file: Schema.String,
  /** Which of its parts, such as `quantizer "ternary"`. */
  what: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `plugin ${this.file}: ${this.what}: ${this.reason}`
  }
}
