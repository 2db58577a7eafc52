/** What a runner asks of the process that computes for it. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { UnitFailed } from "../Errors.ts"
import { Identity } from "../identity/Identity.ts"
import { UnitReply, UnitRequest } from "../units/UnitOfWork.ts"

export class UnitRpcs extends RpcGroup.make(
  Rpc.make("Identify", { success: Identity, error: UnitFailed }),
  Rpc.make("Compute", { payload: UnitRequest, success: UnitReply, error: UnitFailed })
) {}
