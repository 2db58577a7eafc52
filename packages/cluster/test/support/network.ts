/**
 * Hosts on a switch, each with an address and a cable that can be cut, as network namespaces on one machine. They have no names there and
 * hang on no interface of its own; the system removes them with their last process, also when the test is killed.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"

/** Whether this system lets a test make them: Linux, as root, with iproute2 and util-linux. */
export const canNetwork =
  process.getuid?.() === 0 &&
  spawnSync(
    "unshare",
    ["--net", "sh", "-c", "ip link add name v type veth peer name w && ip link add name s type bridge"],
    {
      stdio: "ignore"
    }
  ).status === 0

/** Before a command: what runs it in a namespace becomes the command, so that signals go to it. It ends with its parent. */
const within = (pid: number, signal: "KILL" | "INT", ...as: readonly string[]): readonly string[] => [
  ...["nsenter", `--net=/proc/${pid}/ns/net`],
  ...["setpriv", `--pdeathsig=${signal}`, ...as]
]

/** A namespace, and the process that it lives with, which ends with this one. */
const namespace = (): Promise<ChildProcess> =>
  new Promise((resolve, reject) => {
    const holder = spawn("unshare", ["--net", "sh", "-c", "echo made && exec cat"], {
      stdio: ["pipe", "pipe", "inherit"]
    })
    holder.once("error", reject)
    holder.once("exit", (code) => reject(new Error(`unshare ended with ${code}`)))
    holder.stdout.once("data", () => resolve(holder))
  })

export interface Host {
  readonly address: string
  /** Before a command: it runs there. */
  readonly command: readonly string[]
  /** The same as nobody. */
  readonly nobody: readonly string[]
  /** Takes the cable from the switch: nothing arrives, nothing is refused. */
  readonly cut: () => void
  readonly mend: () => void
}

export interface Network {
  /** A new host. */
  readonly host: () => Promise<Host>
  readonly close: () => void
}

export const openNetwork = async (): Promise<Network> => {
  const holders: ChildProcess[] = []
  const open = async () => {
    const holder = await namespace()
    holders.push(holder)
    return holder.pid!
  }
  const hub = await open()
  const ip = (pid: number, line: string) => {
    const [command = "", ...args] = [...within(pid, "KILL"), "ip", ...line.split(" ")]
    execFileSync(command, args, { stdio: ["ignore", "ignore", "inherit"] })
  }
  ip(hub, "link add name switch type bridge")
  ip(hub, "link set switch up")
  return {
    host: async () => {
      const pid = await open()
      const number = holders.length - 1
      const [address, port] = [`10.77.0.${number}`, `port${number}`]
      ip(hub, `link add name ${port} type veth peer name eth0 netns ${pid}`)
      ip(hub, `link set ${port} master switch up`)
      ip(pid, "link set lo up")
      ip(pid, `address add ${address}/24 dev eth0`)
      ip(pid, "link set eth0 up")
      return {
        address,
        command: within(pid, "KILL"),
        nobody: within(pid, "INT", "--reuid=65534", "--regid=65534", "--clear-groups"),
        cut: () => ip(hub, `link set ${port} down`),
        mend: () => ip(hub, `link set ${port} up`)
      }
    },
    close: () => {
      for (const holder of holders) holder.stdin!.end()
    }
  }
}
