/**
 * Protobuf messages as pieces of known lengths: a message states its length before its bytes, so large ones can be made when their turn
 * to be written comes.
 */

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import type { Pieces } from "@speedq/formats"

/** Bytes that are made later. */
export interface LateBytes {
  readonly byteLength: number
  readonly make: () => Promise<Pieces>
}

export type Bytes = Uint8Array | LateBytes
export type Message = readonly Bytes[]

export const lengthOf = (message: Message): number => message.reduce((sum, { byteLength }) => sum + byteLength, 0)

export const isLate = (bytes: Bytes): bytes is LateBytes => !(bytes instanceof Uint8Array)

/** Bytes that are made later. */
export const lateLength = (message: Message): number => lengthOf(message.filter(isLate))

const written = (write: (writer: BinaryWriter) => BinaryWriter): Message => [write(new BinaryWriter()).finish()]

export const integerField = (field: number, value: number | bigint): Message =>
  written((writer) => writer.tag(field, WireType.Varint).int64(value))

export const floatField = (field: number, value: number): Message =>
  written((writer) => writer.tag(field, WireType.Bit32).float(value))

export const textField = (field: number, value: string): Message =>
  written((writer) => writer.tag(field, WireType.LengthDelimited).string(value))

/** A field that holds a message, or plain bytes. */
export const messageField = (field: number, message: Message): Message => [
  ...written((writer) => writer.tag(field, WireType.LengthDelimited).int64(lengthOf(message))),
  ...message
]
