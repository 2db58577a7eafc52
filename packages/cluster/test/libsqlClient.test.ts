/** The SQL client over SQLite: values, transactions, two processes' worth of clients on one file, what is refused. */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
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
    assert.strictEqual(clusterName("postgres://me:p@ss@db/speedq"), "postgres://me:...@db/speedq")
    assert.strictEqual(clusterName("postgres://db/x?password=secret&user=me"), "postgres://db/x?password=...&user=me")
    assert.strictEqual(clusterName("postgres://me:sec#ret@db/x"), "postgres://...")
    assert.strictEqual(clusterName("/tmp/x"), "/tmp/x")
  })

  const refusalOf = async (cluster: string): Promise<string> => {
    const error = await Effect.runPromise(Effect.flip(Effect.provide(SqlClient.SqlClient, storageLayer(cluster))))
    assert.instanceOf(error, ClusterUnavailable)
    return error.message
  }

  it("refuses a directory that cannot be made or holds no file that can be opened, and says what to do", async () => {
    const fix = /; name a directory of this host that this user may write$/
    const impossible = await refusalOf("/dev/null/cluster")
    assert.match(impossible, /cluster \/dev\/null\/cluster: .*ENOTDIR/)
    assert.match(impossible, fix)
    mkdirSync(join(root, "taken/cluster.sqlite"), { recursive: true })
    assert.match(await refusalOf(join(root, "taken")), fix)
  })

  it("refuses a damaged file, and says what to do", async () => {
    const fix = /; end the runs and runners that use it and remove cluster\.sqlite\* there: /
    const file = join(root, "cluster.sqlite")
    writeFileSync(file, "no database ".repeat(1000))
    const other = await refusalOf(root)
    assert.match(other, /file is not a database/)
    assert.match(other, fix)
    rmSync(file)
    await withClient("cluster", (sql) =>
      Effect.gen(function* () {
        yield* sql`CREATE TABLE t (a TEXT)`
        yield* sql`INSERT INTO t VALUES (${"x".repeat(20_000)})`
        yield* sql`PRAGMA wal_checkpoint(TRUNCATE)`
      })
    )
    writeFileSync(file, readFileSync(file).fill(0x55, 4096))
    const damaged = await refusalOf(root)
    assert.match(damaged, /malformed/)
    assert.match(damaged, fix)
  })

  it("refuses the address of another database, which is no directory", async () => {
    const message = await refusalOf("mysql://me:secret@db/x")
    assert.strictEqual(
      message,
      "cluster mysql://...: there is no such kind of cluster; it is a directory, or postgres://user:password@host/database"
    )
  })

  it("refuses a database that does not answer, and says no password", async () => {
    const message = await refusalOf("postgres://me:secret@127.0.0.1:1/none")
    assert.match(message, /cluster postgres:\/\/me:\.\.\.@127\.0\.0\.1:1\/none: .*; correct the address, or start/)
    assert.notInclude(message, "secret")
  })
})
