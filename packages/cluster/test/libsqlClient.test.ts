/** The SQL client over SQLite: values, transactions, two processes' worth of clients on one file, what is refused. */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { afterAll, assert, describe, it } from "vitest"
import { ClusterUnavailable } from "../src/Errors.ts"
import { libsqlClient } from "../src/storage/libsqlClient.ts"
import { clusterName, storageLayer } from "../src/storage/storageLayer.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-libsql-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const withClient = <A, E>(name: string, work: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  Effect.runPromise(
    Effect.flatMap(SqlClient.SqlClient, work).pipe(Effect.provide(libsqlClient(join(root, `${name}.sqlite`))))
  )

describe("libsqlClient", () => {
  it("keeps texts, numbers, bytes and booleans", async () => {
    const rows = await withClient("values", (sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (a TEXT, b INTEGER, c BLOB, d INTEGER)`
        yield* sql`INSERT INTO t VALUES (${"it's"}, ${2 ** 40}, ${new Uint8Array([1, 2, 255])}, ${true})`
        return yield* sql<{ a: string; b: number; c: Uint8Array; d: number }>`SELECT * FROM t`
      })
    )
    const { c, ...others } = rows[0]!
    assert.deepStrictEqual(others, { a: "it's", b: 2 ** 40, d: 1 })
    assert.deepStrictEqual([...c], [1, 2, 255])
  })

  it("takes back a transaction that fails, and lets no other fiber's statement into it", async () => {
    const found = await withClient("transactions", (sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (a INTEGER)`
        const failing = sql.withTransaction(
          Effect.gen(function* () {
            yield* sql`INSERT INTO t VALUES (1)`
            yield* Effect.sleep(50)
            return yield* Effect.fail("no")
          })
        )
        yield* Effect.all([Effect.ignore(failing), Effect.delay(sql`INSERT INTO t VALUES (2)`, 10)], {
          concurrency: "unbounded"
        })
        return yield* sql<{ a: number }>`SELECT a FROM t`
      })
    )
    assert.deepStrictEqual(found, [{ a: 2 }])
  })

  it("waits for the writer of another process", async () => {
    await withClient("shared", (sql) => sql`CREATE TABLE t (a INTEGER)`)
    const script = `
      const database = new (require("libsql"))(process.argv[1])
      database.exec("BEGIN IMMEDIATE")
      database.exec("INSERT INTO t VALUES (1)")
      console.log("writing")
      setTimeout(() => { database.exec("COMMIT"); database.close() }, 500)`
    const child = spawn(process.execPath, ["-e", script, join(root, "shared.sqlite")])
    await new Promise((resolve) => child.stdout.once("data", resolve))
    const rows = await withClient("shared", (sql) =>
      sql.withTransaction(Effect.andThen(sql`INSERT INTO t VALUES (2)`, sql<{ a: number }>`SELECT a FROM t ORDER BY a`))
    )
    assert.deepStrictEqual(rows, [{ a: 1 }, { a: 2 }])
  })

  it("names the statement that was refused", async () => {
    const error = await withClient("refused", (sql) => Effect.flip(sql`SELECT * FROM nothing`))
    assert.match(error.message, /SQLite refused: SELECT \* FROM nothing/)
  })
})

describe("storageLayer", () => {
  it("names a cluster without its password", () => {
    assert.strictEqual(clusterName("postgres://me:secret@db:5433/speedq"), "postgres://me:...@db:5433/speedq")
    assert.strictEqual(clusterName("/tmp/x"), "/tmp/x")
  })

  it("refuses a directory that cannot be made", async () => {
    const layer = storageLayer("/dev/null/cluster")
    const error = await Effect.runPromise(Effect.flip(Effect.provide(SqlClient.SqlClient, layer)))
    assert.instanceOf(error, ClusterUnavailable)
    assert.match(error.message, /cluster \/dev\/null\/cluster: .*ENOTDIR/)
  })

  it("refuses a database that does not answer, and says no password", async () => {
    const layer = storageLayer("postgres://me:secret@127.0.0.1:1/none")
    const error = await Effect.runPromise(Effect.flip(Effect.provide(SqlClient.SqlClient, layer)))
    assert.instanceOf(error, ClusterUnavailable)
    assert.match(error.message, /cluster postgres:\/\/me:\.\.\.@127\.0\.0\.1:1\/none: /)
    assert.notInclude(error.message, "secret")
  })
})
