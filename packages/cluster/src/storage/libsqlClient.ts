/** Effect's SQL client over libsql, which is SQLite: one connection, for processes of one host that share the file. */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as reactivity } from "effect/reactivity/Reactivity"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import Database from "libsql"

/** Another process may hold the file for so long. */
const busyMilliseconds = 10_000

const open = (file: string): InstanceType<typeof Database> => {
  const database = new Database(file, { timeout: busyMilliseconds })
  // Readers do not wait for the writer; what is lost with the power is handed out again.
  database.exec(`PRAGMA busy_timeout = ${busyMilliseconds}`)
  database.exec("PRAGMA journal_mode = WAL")
  database.exec("PRAGMA synchronous = NORMAL")
  return database
}

const failed = (message: string) => (cause: unknown) =>
  new SqlError({ reason: classifySqliteError(cause, { message, operation: "execute" }) })

/** SQLite has no booleans and no dates of its own. */
const bound = (value: unknown): unknown => {
  if (typeof value === "boolean") return Number(value)
  if (value instanceof Date) return value.toISOString()
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value
}

/** Bytes come as an ArrayBuffer. */
const viewed = (value: unknown): unknown => (value instanceof ArrayBuffer ? new Uint8Array(value) : value)
const withBytes = (row: unknown): unknown =>
  Array.isArray(row)
    ? row.map(viewed)
    : Object.fromEntries(Object.entries(row as object).map(([name, value]) => [name, viewed(value)]))

const connectionOf = (database: InstanceType<typeof Database>): Connection => {
  const rows = (sql: string, params: ReadonlyArray<unknown>, raw: boolean) =>
    Effect.try({
      try: (): ReadonlyArray<unknown> => {
        const statement = database.prepare(sql)
        const values = params.map(bound)
        // A statement that gives no rows refuses to be asked for them.
        if (!statement.reader) {
          statement.run(...values)
          return []
        }
        return (raw ? statement.raw(true) : statement).all(...values).map(withBytes)
      },
      catch: failed(`SQLite refused: ${sql.trim().split(/\s+/).slice(0, 4).join(" ")} ...`)
    })
  const records: Connection["execute"] = (sql, params, transform) =>
    Effect.map(rows(sql, params, false), (found) => transform?.(found as ReadonlyArray<object>) ?? found)
  const values: Connection["executeValues"] = (sql, params) =>
    Effect.map(rows(sql, params, true), (found) => found as ReadonlyArray<ReadonlyArray<unknown>>)
  return {
    execute: records,
    executeUnprepared: records,
    executeRaw: (sql, params) => rows(sql, params, false),
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(records(sql, params, transform), (found) => Stream.fromIterable(found)))
  }
}

/** The client of the file, made where it does not exist. Fails with SqlError. */
export const libsqlClient = (file: string): Layer.Layer<SqlClient.SqlClient, SqlError> =>
  Layer.effect(
    SqlClient.SqlClient,
    Effect.gen(function* () {
      const database = yield* Effect.acquireRelease(
        Effect.try({ try: () => open(file), catch: failed(`${file} cannot be opened`) }),
        (database) => Effect.sync(() => database.close())
      )
      const connection = connectionOf(database)
      // Statements of other fibers must not slip into a transaction.
      const one = yield* Semaphore.make(1)
      const transactionAcquirer = Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const scope = yield* Effect.scope
          yield* restore(one.take(1))
          yield* Scope.addFinalizer(scope, one.release(1))
          return connection
        })
      )
      return yield* SqlClient.make({
        acquirer: one.withPermits(1)(Effect.succeed(connection)),
        borrower: (work) => one.withPermits(1)(work(connection)),
        transactionAcquirer,
        // A transaction that begins by reading would fail where another process writes meanwhile.
        beginTransaction: "BEGIN IMMEDIATE",
        compiler: Statement.makeCompilerSqlite(),
        driver: "libsql",
        spanAttributes: [["db.system.name", "sqlite"]]
      })
    })
  ).pipe(Layer.provide(reactivity))
