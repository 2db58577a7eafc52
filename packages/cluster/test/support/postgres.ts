/** A PostgreSQL server of the tests' own, from the system's programs, in a folder that goes with it. */
import { execFileSync, spawn } from "node:child_process"
import { appendFileSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Host } from "./network.ts"

const versions = "/usr/lib/postgresql"
/** Folder of the newest installed version's programs; undefined where Debian's package postgresql is not installed. */
export const postgresPrograms = existsSync(versions)
  ? readdirSync(versions)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(versions, version, "bin"))
      .find((folder) => existsSync(join(folder, "initdb")))
  : undefined

/** The server refuses to run as root: then as nobody. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

/**
 * Starts it, on a host of the tests' own network where one is named. `restart` stops it as a machine does that goes down, and starts it
 * again.
 */
export const startPostgres = async (programs: string, host?: Pick<Host, "address" | "nobody">) => {
  const folder = mkdtempSync(join(tmpdir(), "speedq-postgres-"))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, "data")
  const options = { cwd: folder, stdio: "pipe" as const, ...user }
  execFileSync(join(programs, "initdb"), ["-D", data, "-A", "trust", "-U", "speedq", "-E", "UTF8", "-N"], options)
  const [address, port] = host === undefined ? ["127.0.0.1", await freePort()] : [host.address, 5432]
  // It listens to this network and to nothing else.
  appendFileSync(join(data, "pg_hba.conf"), `host all all ${address}/24 trust\n`)
  const start = async () => {
    const postgres = join(programs, "postgres")
    const args = ["-D", data, "-k", folder, "-h", address, "-p", String(port), "-F"]
    const stdio = ["ignore", "ignore", "pipe"] as const
    // Only root enters a host, and becomes nobody there.
    const [enter = "", ...entering] = host?.nobody ?? []
    const server =
      host === undefined
        ? spawn(postgres, args, { ...options, stdio: [...stdio] })
        : spawn(enter, [...entering, postgres, ...args], { cwd: folder, stdio: [...stdio] })
    await new Promise<void>((resolve, reject) => {
      let output = ""
      server.stderr!.on("data", (bytes: Buffer) => {
        output += bytes.toString()
        if (/ready to accept connections/.test(output)) resolve()
      })
      server.once("exit", (code) => reject(new Error(`postgres ended with ${code}:\n${output}`)))
    })
    return server
  }
  let server = await start()
  const stop = (signal: NodeJS.Signals) =>
    new Promise<void>((resolve) => {
      server.once("exit", () => resolve())
      server.kill(signal)
    })
  return {
    url: `postgres://speedq@${address}:${port}/postgres`,
    restart: async () => {
      await stop("SIGQUIT")
      server = await start()
    },
    end: async () => {
      await stop("SIGINT")
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
