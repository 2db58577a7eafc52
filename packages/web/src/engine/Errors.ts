/** What can go wrong in the page, besides what reading and asking a model raises. */
import * as Schema from "effect/Schema"

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** Files that are no packed model. */
export class NotAModel extends Schema.TaggedError<NotAModel>()("NotAModel", {
  files: Schema.Array(Schema.String),
  reason: Schema.String
}) {
  override get message(): string {
    const named = this.files.slice(0, 5).join(", ") + (this.files.length > 5 ? ", ..." : "")
    return `${named || "nothing"}: ${this.reason}; choose the folder that speedq export --format packed or web has written`
  }
}

/** A download that was refused, or that no network brought. */
export class DownloadFailed extends Schema.TaggedError<DownloadFailed>()("DownloadFailed", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.url}: ${this.reason}; look whether the network and the server are there, and try again`
  }
}

/** A download that ended early. What came before it is kept. */
export class DownloadCut extends Schema.TaggedError<DownloadCut>()("DownloadCut", {
  file: Schema.String,
  expected: Schema.Int,
  received: Schema.Int
}) {
  override get message(): string {
    return `${this.file}: the download ended after ${this.received} of ${this.expected} bytes; try again, it goes on where it stopped`
  }
}

/** A part that is not what the model's index says. */
export class PartDamaged extends Schema.TaggedError<PartDamaged>()("PartDamaged", {
  file: Schema.String,
  expected: Schema.String,
  found: Schema.String
}) {
  override get message(): string {
    return `${this.file}: its SHA-256 is ${this.found}, the model's index says ${this.expected}; it was changed, or copied badly`
  }
}

/** The browser gives the page no more room. */
export class StorageFull extends Schema.TaggedError<StorageFull>()("StorageFull", {
  file: Schema.String,
  needed: Schema.Int,
  free: Schema.Int
}) {
  override get message(): string {
    return `${this.file}: no room to keep the model: ${mebibytes(this.needed)} are wanted, the browser gives this page ${mebibytes(this.free)} more; free space on the device, or use the model without keeping it`
  }
}

/** The browser lets the page keep nothing, as private windows do. */
export class StorageUnavailable extends Schema.TaggedError<StorageUnavailable>()("StorageUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `this browser keeps no files for the page (${this.reason}); use the model without keeping it`
  }
}

/** A picture of more pixels than are decoded, here or by `speedq chat`. */
export class PictureTooLarge extends Schema.TaggedError<PictureTooLarge>()("PictureTooLarge", {
  name: Schema.String,
  width: Schema.Int,
  height: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `${this.name}: ${this.width} x ${this.height} pixels are more than ${this.limit}; scale it down`
  }
}

/** A picture that cannot be shown to the model. */
export class PictureUnreadable extends Schema.TaggedError<PictureUnreadable>()("PictureUnreadable", {
  name: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.name}: ${this.reason}`
  }
}

/** WebGPU does not run here, or not the model. */
export class GraphicsUnavailable extends Schema.TaggedError<GraphicsUnavailable>()("GraphicsUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the graphics processor cannot be used: ${this.reason}`
  }
}
