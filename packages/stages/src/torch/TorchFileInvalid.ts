/** A file that is not what torch.save writes, or that holds more than tensors and plain values. */
import * as Schema from "effect/Schema"

export class TorchFileInvalid extends Schema.TaggedError<TorchFileInvalid>()("TorchFileInvalid", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.file} is not a PyTorch file that can be read: ${this.reason}`
  }
}
