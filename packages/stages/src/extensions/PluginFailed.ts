/** A method of a plugin that threw, or that gave what it must not give. */
import * as Schema from "effect/Schema"

export class PluginFailed extends Schema.TaggedError<PluginFailed>()("PluginFailed", {
  /** The file, or the name, of the plugin. */
  plugin: Schema.String,
  /** Which of its parts, such as `quantizer "ternary"`. */
  what: Schema.String,
  /** What it did, such as `fakeQuantize threw "boom"`. */
  did: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {
  override get message(): string {
    return `${this.what} of the plugin ${this.plugin}: ${this.did}; correct the plugin`
  }
}
