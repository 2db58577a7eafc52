/**
 * Who is who: the identity of each runner, and of each run that is coordinated. Which runners live is the cluster's to say, whether a run
 * is at work its own directory's. Each says again and again that it is there, so that rows of the dead can go.
 */
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { Identity } from "../identity/Identity.ts"
import { ClusterTimes } from "./ClusterTimes.ts"

/** What a member is; of a run also whether runners with other bits may compute what its work allows. */
const Member = Schema.Struct({ ...Identity.fields, isLoose: Schema.optionalKey(Schema.Boolean) })
type Member = typeof Member.Type

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Member))
const encode = Schema.encodeSync(Schema.fromJsonString(Member))

/** What an identity is that another version has written in another form. */
const ofOtherShape: Member = {
  build: "another version of speedq",
  backend: "unknown",
  numbers: "unknown",
  plugins: "unknown"
}

type Kind = "runner" | "run"

/** A run may compute for long and say nothing meanwhile; a runner has a process beside it for that. */
const runSilentSeconds = 3600

/** What is done at the end, as far as the database answers: a scope that closes is not kept by it. */
export const leaving = <A, E, R>(last: Effect.Effect<A, E, R>) =>
  last.pipe(Effect.interruptible, Effect.timeoutOption("5 seconds"), Effect.ignore)

/** Told when the database has not answered, and why, and when it answers again. */
type OnReach = (reach: { readonly answers: boolean; readonly reason: string }) => void

/** The table, made where it does not exist. Fails with SqlError. */
export const openMembers = Effect.fn("openMembers")(function* () {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const { silentMilliseconds } = yield* ClusterTimes
  // Two that make it at once are told of each other by PostgreSQL.
  yield* Effect.retry(
    sql`CREATE TABLE IF NOT EXISTS speedq_present (kind VARCHAR(10) NOT NULL, name VARCHAR(1000) NOT NULL, identity TEXT NOT NULL, seen BIGINT NOT NULL, PRIMARY KEY (kind, name))`,
    { times: 3 }
  )
  /** Seconds since 1970 by the clock of the database, which all have in common. */
  const now = sql.literal(
    sql.onDialectOrElse({
      pg: () => "CAST(EXTRACT(EPOCH FROM NOW()) AS BIGINT)",
      orElse: () => "CAST(strftime('%s', 'now') AS INTEGER)"
    })
  )
  const silentSeconds = { runner: Math.ceil(silentMilliseconds / 1000), run: runSilentSeconds }
  const isSilent = (kind: Kind) => sql`kind = ${kind} AND seen < ${now} - ${sql.literal(String(silentSeconds[kind]))}`
  const remove = (kind: Kind, name: string) => sql`DELETE FROM speedq_present WHERE kind = ${kind} AND name = ${name}`
  const all = Effect.fnUntraced(function* (kind: Kind) {
    const rows = yield* sql<{ readonly name: string; readonly identity: string }>`
      SELECT name, identity FROM speedq_present WHERE kind = ${kind}`
    return yield* Effect.forEach(rows, ({ name, identity }) =>
      Effect.map(
        Effect.orElseSucceed(decode(identity), () => ofOtherShape),
        (identity) => ({ name, identity })
      )
    )
  })
  return {
    /** For the life of the scope. One whose row was taken for a dead one's has it again a little later. */
    join: Effect.fnUntraced(function* (kind: Kind, name: string, identity: Member, onReach: OnReach = () => {}) {
      const say = sql`INSERT INTO speedq_present (kind, name, identity, seen) VALUES (${kind}, ${name}, ${encode(identity)}, ${now})
        ON CONFLICT (kind, name) DO UPDATE SET identity = excluded.identity, seen = excluded.seen`
      yield* Effect.acquireRelease(say, () => leaving(remove(kind, name)))
      const every = silentMilliseconds / 4
      let answered = true
      const reached = (answers: boolean, reason = "") =>
        Effect.sync(() => {
          if (answers !== answered) onReach({ answers, reason })
          answered = answers
        })
      const again = say.pipe(
        Effect.timeout(every),
        Effect.matchEffect({
          onSuccess: () => reached(true),
          onFailure: ({ message }) => reached(false, message)
        })
      )
      yield* Effect.forkScoped(Effect.delay(Effect.repeat(again, Schedule.spaced(every)), every))
    }),
    all,
    remove,
    /** Removes what runners and runs left that are dead: their rows, and locks of runners. */
    removeDead: Effect.gen(function* () {
      const storage = yield* RunnerStorage.RunnerStorage
      const dead = yield* sql<{ readonly name: string }>`SELECT name FROM speedq_present WHERE ${isSilent("runner")}`
      for (const { name } of dead) {
        const address = RunnerAddress.make(name, runnerPort)
        yield* storage.releaseAll(address)
        yield* storage.unregister(address)
      }
      for (const kind of ["runner", "run"] as const) yield* sql`DELETE FROM speedq_present WHERE ${isSilent(kind)}`
    })
  }
})

/** No one connects to a runner: its address is a name. */
export const runnerPort = 1
