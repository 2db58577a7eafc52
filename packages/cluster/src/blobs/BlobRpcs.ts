/** What a run asks of the thread that serves its files. */

import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import { ListenRefused } from "../Errors.ts"

/** A file by the digest of its bytes. */
export const Blob = Schema.Struct({ sha256: Schema.String, bytes: Schema.Int, path: Schema.String })
export type Blob = typeof Blob.Type

/** What runners may send: so many files of at most so many bytes, which become `${prefix}${sha256}.safetensors`. */
export const Receiving = Schema.Struct({ prefix: Schema.String, most: Schema.Int, bytes: Schema.Int })
export type Receiving = typeof Receiving.Type

/** All that is served until the next offer. */
export const Offer = Schema.Struct({ blobs: Schema.Array(Blob), receiving: Receiving })
export type Offer = typeof Offer.Type

export class BlobRpcs extends RpcGroup.make(
  /** Listens, and gives the port. */
  Rpc.make("Listen", {
    payload: { host: Schema.String, port: Schema.Int, token: Schema.String },
    success: Schema.Int,
    error: ListenRefused
  }),
  Rpc.make("Offer", { payload: Offer })
) {}
