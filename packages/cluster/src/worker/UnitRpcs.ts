/** What a runner asks of the process that computes for it. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import { UnitFailed } from "../Errors.ts"
import { Identity } from "../identity/Identity.ts"
import { ShardReply, ShardRequest } from "../units/ShardUnit.ts"

export class UnitRpcs extends RpcGroup.make(
  Rpc.make("Identify", { success: Identity, error: UnitFailed }),
  Rpc.make("ComputeShard", { payload: ShardRequest, success: ShardReply, error: UnitFailed })
) {}
