/** Where runners and coordinator meet: a directory with a SQLite file, or a PostgreSQL database. */
import { mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { ClusterUnavailable } from "../Errors.ts"
import { libsqlClient } from "./libsqlClient.ts"

const isUrl = (cluster: string): boolean => /^postgres(ql)?:\/\//.test(cluster)

/** How a cluster is named in records and messages: without its password. */
export const clusterName = (cluster: string): string => {
  if (!isUrl(cluster)) return resolve(cluster)
  if (!URL.canParse(cluster)) return "postgres://..."
  const url = new URL(cluster)
  if (url.password !== "") url.password = "..."
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

const sqliteClient = (directory: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.try({
        try: () => mkdirSync(directory, { recursive: true }),
        catch: (error) => new ClusterUnavailable({ cluster: directory, reason: reasonOf(error) })
      }),
      () => libsqlClient(join(directory, "cluster.sqlite"))
    )
  )

/** The SQL client of a cluster: `DIR`, or `postgres://user:password@host/database`. */
export const storageLayer = (cluster: string): Layer.Layer<SqlClient, ClusterUnavailable> => {
  const client: Layer.Layer<SqlClient, ClusterUnavailable | SqlError> = isUrl(cluster)
    ? postgresClient(cluster)
    : sqliteClient(resolve(cluster))
  // A pool connects when it is first asked: what is wrong is to be said now.
  const opened = Layer.effectDiscard(Effect.flatMap(SqlClient, (sql) => sql`SELECT 1`)).pipe(Layer.provideMerge(client))
  return Layer.catch(opened, (error) =>
    Layer.effect(
      SqlClient,
      Effect.fail(
        error instanceof ClusterUnavailable
          ? error
          : new ClusterUnavailable({ cluster: clusterName(cluster), reason: reasonOf(error.reason.cause ?? error) })
      )
    )
  )
}
