/** A module that a person named on the command line, and that cannot be used. */
import * as Schema from "effect/Schema"

export class ModuleUnreadable extends Schema.TaggedError<ModuleUnreadable>()("ModuleUnreadable", {
  file: Schema.String,
  reason: Schema.String,
  fix: Schema.String
}) {
  override get message(): string {
    return `${this.file}: ${this.reason}; ${this.fix}`
  }
}
