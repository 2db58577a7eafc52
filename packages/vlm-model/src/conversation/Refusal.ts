/** Why a record cannot become a sample: known before it is known which file and line it is of. */
import { FileFailed } from "@speedq/formats"
import { ImageCodecMissing, type RecordFault, SampleRejected } from "../Errors.ts"
import type { VideoError } from "../image/VideoSource.ts"
import type { RecordOrigin } from "./SampleSettings.ts"

export interface Refusal {
  readonly fault: RecordFault
  readonly reason: string
}

export const refusal =
  (fault: RecordFault) =>
  (reason: string): Refusal => ({ fault, reason })

/**
 * A picture or video that cannot be read. A codec that is missing is no fault of a record: replacing it by another one would not
 * help.
 */
export const refusedFile = (error: VideoError): Refusal | ImageCodecMissing => {
  if (error instanceof ImageCodecMissing) return error
  const isMissing = error instanceof FileFailed && ["ENOENT", "ENOTDIR"].includes(error.code)
  return { fault: isMissing ? "missing file" : "unreadable file", reason: error.message }
}

/** The error that names file and line. */
export const rejectedAt =
  ({ file, line }: RecordOrigin) =>
  (error: Refusal | ImageCodecMissing): SampleRejected | ImageCodecMissing =>
    error instanceof ImageCodecMissing ? error : new SampleRejected({ file, line, ...error })
