/**
 * Who is who: the identity of each runner, and of each run that is coordinated. Which runners live is the cluster's to say, whether a run
 * is at work its own directory's.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { Identity } from "../identity/Identity.ts"

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

/** The table, made where it does not exist. Fails with SqlError. */
export const openMembers = Effect.fn("openMembers")(function* () {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  yield* sql`CREATE TABLE IF NOT EXISTS speedq_members (kind VARCHAR(10) NOT NULL, name VARCHAR(1000) NOT NULL, identity TEXT NOT NULL, PRIMARY KEY (kind, name))`
  const remove = (kind: Kind, name: string) => sql`DELETE FROM speedq_members WHERE kind = ${kind} AND name = ${name}`
  return {
    /** For the life of the scope. One that was killed leaves its row; its name does not come again, or takes the row over. */
    join: (kind: Kind, name: string, identity: Member) =>
      Effect.acquireRelease(
        sql.withTransaction(
          Effect.andThen(
            remove(kind, name),
            sql`INSERT INTO speedq_members (kind, name, identity) VALUES (${kind}, ${name}, ${encode(identity)})`
          )
        ),
        () => Effect.ignore(remove(kind, name))
      ),
    all: Effect.fnUntraced(function* (kind: Kind) {
      const rows = yield* sql<{ readonly name: string; readonly identity: string }>`
        SELECT name, identity FROM speedq_members WHERE kind = ${kind}`
      return yield* Effect.forEach(rows, ({ name, identity }) =>
        Effect.map(
          Effect.orElseSucceed(decode(identity), () => ofOtherShape),
          (identity) => ({ name, identity })
        )
      )
    }),
    remove
  }
})
