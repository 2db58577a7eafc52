/** Who is in a cluster, and what the dead leave. */
import { join } from "node:path"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import { assert, describe, it } from "vitest"
import { clusterLayer } from "../src/storage/clusterLayer.ts"
import { openMembers, runnerPort } from "../src/storage/Members.ts"
import { storageLayer } from "../src/storage/storageLayer.ts"
import { testFolder } from "./support/testFolder.ts"

const place = testFolder("members")
const identity = { build: "speedq 1", backend: "native", numbers: "ab", plugins: "none" }

describe("what killed members leave", () => {
  it("goes when another one comes; what the living have stays, and a run is given an hour", async () => {
    const cluster = join(place("cluster"))
    const left = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name).toSorted()
      return {
        present: names(yield* sql<{ name: string }>`SELECT name FROM speedq_present`),
        runners: names(yield* sql<{ name: string }>`SELECT address AS name FROM cluster_runners`),
        locks: names(yield* sql<{ name: string }>`SELECT DISTINCT address AS name FROM cluster_locks`)
      }
    })
    const member = clusterLayer({ cluster, groups: ["group"] })
    const test = Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const members = yield* openMembers()
      // Members that say nothing any more: rows as killed ones leave them.
      yield* Effect.scoped(
        Effect.gen(function* () {
          const storage = yield* RunnerStorage.RunnerStorage
          for (const [at, name] of ["dead", "living"].entries()) {
            const address = RunnerAddress.make(name, runnerPort)
            yield* storage.register(Runner.make({ address, groups: ["group"], weight: 1 }), true)
            yield* storage.acquire(address, [ShardId.make("group", at + 1)])
          }
        })
      ).pipe(Effect.provide(member))
      const seconds = [
        ["runner", "dead", 60],
        ["runner", "living", 0],
        ["run", "silent", 60],
        ["run", "killed", 7200]
      ] as const
      for (const [kind, name, ago] of seconds) {
        yield* sql`INSERT INTO speedq_present (kind, name, identity, seen) VALUES (${kind}, ${name}, '{}', strftime('%s', 'now') - ${ago})`
      }
      yield* sql`UPDATE cluster_runners SET last_heartbeat = datetime('now', '-60 seconds') WHERE address LIKE '%dead%'`
      yield* sql`UPDATE cluster_locks SET acquired_at = datetime('now', '-60 seconds') WHERE address LIKE '%dead%'`
      const before = yield* left
      yield* Effect.provide(Effect.void, member)
      const after = yield* left
      // One that lives and was taken for dead says again that it is there.
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* members.join("runner", "taken", identity)
          yield* members.remove("runner", "taken")
          yield* Effect.sleep(5500)
          assert.include((yield* left).present, "taken")
        })
      )
      return { before, after, end: yield* left }
    })
    const { before, after, end } = await Effect.runPromise(
      test.pipe(Effect.provide(Layer.fresh(storageLayer(cluster))), Effect.scoped)
    )
    assert.deepStrictEqual(before.present, ["dead", "killed", "living", "silent"])
    assert.strictEqual(before.runners.length, 2)
    assert.strictEqual(before.locks.length, 2)
    assert.deepStrictEqual(after.present, ["living", "silent"])
    assert.match(after.runners.join(), /^[^,]*living[^,]*$/)
    assert.match(after.locks.join(), /^[^,]*living[^,]*$/)
    assert.deepStrictEqual(end, after)
  })
})
