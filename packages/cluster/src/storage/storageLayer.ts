/** Where runners and coordinator meet: a directory with a SQLite file, or a PostgreSQL database. */
import { mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { SqlError } from "effect/sql/SqlError"
import { ClusterUnavailable } from "../Errors.ts"
import { libsqlClient } from "./libsqlClient.ts"

const isUrl = (cluster: string): boolean => /^postgres(ql)?:\/\//.test(cluster)

/** How a cluster is named in records and messages: without its password. */
export const clusterName = (cluster: string): string => {
  if (!isUrl(cluster)) return resolve(cluster)
  if (!URL.canParse(cluster)) return "postgres://..."
  const url = new URL(cluster)
  if (url.password !== "") url.password = "..."
  if (url.searchParams.has("password")) url.searchParams.set("password", "...")
  return url.href
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const { peerDependencies }: { readonly peerDependencies: { readonly [name: string]: string } } = createRequire(
  import.meta.url
)("../../package.json")

const postgresClient = (cluster: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.tryPromise({
        try: () => import("@effect/sql-pg/PgClient"),
        catch: (error) =>
          new ClusterUnavailable({
            cluster: clusterName(cluster),
            reason: `PostgreSQL needs the package @effect/sql-pg (${reasonOf(error).split("\n")[0]})`,
            fix: `npm install @effect/sql-pg@${peerDependencies["@effect/sql-pg"]}`
          })
      }),
      ({ layer }) => layer({ url: Redacted.make(cluster), applicationName: "speedq" })
    )
  )

const file = "cluster.sqlite"

const sqliteClient = (directory: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.try({
        try: () => mkdirSync(directory, { recursive: true }),
        catch: (error) => unavailable(directory, error)
      }),
      () => libsqlClient(join(directory, file))
    )
  )

/** The innermost reason that an error gives. */
const innermost = (error: unknown): unknown => {
  if (error instanceof SqlError) return innermost(error.reason)
  return error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error
}

/** What cannot be used, why, and what to do. */
export const unavailable = (cluster: string, error: unknown): ClusterUnavailable => {
  if (error instanceof ClusterUnavailable) return error
  const reason = reasonOf(innermost(error))
  const fixOf = () => {
    if (isUrl(cluster)) return "correct the address, or start the database"
    if (/not a database|malformed/.test(reason))
      return `end the runs and runners that use it and remove ${file}* there: what it holds is made again, and nothing of a run is in it`
    return "name a directory of this host that this user may write"
  }
  return new ClusterUnavailable({ cluster: clusterName(cluster), reason, fix: fixOf() })
}

/** Asks once. A pool connects when it is first asked, and a damaged file is noticed where it is read: what is wrong is to be said now. */
const asked = (cluster: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    if (isUrl(cluster)) return yield* sql`SELECT 1`
    const [found] = yield* sql<{ readonly quick_check: string }>`PRAGMA quick_check(1)`
    if (found?.quick_check !== "ok") {
      return yield* Effect.fail(unavailable(cluster, new Error(`${file} is malformed: ${found?.quick_check}`)))
    }
  })

/** The SQL client of a cluster: `DIR`, or `postgres://user:password@host/database`. */
export const storageLayer = (cluster: string): Layer.Layer<SqlClient, ClusterUnavailable> => {
  // Another database's address would become the name of a directory.
  if (!isUrl(cluster) && cluster.includes("://")) {
    const fix = "it is a directory, or postgres://user:password@host/database"
    const named = cluster.slice(0, cluster.indexOf("://"))
    const reason = "there is no such kind of cluster"
    return Layer.effect(SqlClient, new ClusterUnavailable({ cluster: `${named}://...`, reason, fix }))
  }
  const client: Layer.Layer<SqlClient, ClusterUnavailable | SqlError> = isUrl(cluster)
    ? postgresClient(cluster)
    : sqliteClient(resolve(cluster))
  const opened = Layer.effectDiscard(asked(cluster)).pipe(Layer.provideMerge(client))
  return Layer.catch(opened, (error) => Layer.effect(SqlClient, Effect.fail(unavailable(cluster, error))))
}
