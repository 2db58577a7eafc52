/** What a runner asks of the process that computes for it. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { UnitFailed } from "../Errors.ts"
import { Identity } from "../identity/Identity.ts"
import { UnitReply } from "../units/UnitOfWork.ts"
import { UnitOrder } from "./UnitOrder.ts"

export class UnitRpcs extends RpcGroup.make(
  Rpc.make("Identify", { success: Identity, error: UnitFailed }),
  /** Answered when it computes nothing. */
  Rpc.make("Answer"),
  Rpc.make("Compute", { payload: UnitOrder, success: UnitReply, error: UnitFailed })
) {}
