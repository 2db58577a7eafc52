/** Where the blob service listens, and under which address and token runners reach it. */
import { randomBytes } from "node:crypto"
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import { ListenRefused } from "../Errors.ts"
import { fewestCharacters, tokenOfEnvironment, tokenVariable } from "./token.ts"

/** Of loopback, on a free port. */
const byDefault = "127.0.0.1:0"

export interface Listening {
  /** A name or an address; port 0 is a free one. */
  readonly host: string
  readonly port: number
  readonly token: string
  /** Whether runners are told the token. They know it otherwise, and it is stored nowhere. */
  readonly tellsToken: boolean
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)

/** `HOST:PORT`, with brackets around an address that has colons. */
const parsed = (listen: string) => {
  const found = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(listen)
  const port = Number(found?.[3])
  return found === null || port > 65535 ? undefined : { host: (found[1] ?? found[2])!, port }
}

/** Reads `--listen`. Fails with ListenRefused: also beyond loopback without a token of the environment, and for one that is short. */
export const listeningAt = (listen = byDefault): Effect.Effect<Listening, ListenRefused> => {
  const refused = (reason: string, fix: string) => Effect.fail(new ListenRefused({ listen, reason, fix }))
  const at = parsed(listen)
  if (at === undefined) return refused("that is no HOST:PORT", "write for example 127.0.0.1:4711 or [::1]:4711")
  const token = tokenOfEnvironment()
  const fix = `set ${tokenVariable} to ${fewestCharacters} characters or more here and for every speedq worker, such as those of openssl rand -hex 32`
  if (token !== undefined && token.length < fewestCharacters) {
    return refused(`the token in ${tokenVariable} has ${token.length} characters`, fix)
  }
  if (token !== undefined) return Effect.succeed({ ...at, token, tellsToken: false })
  if (!isLoopback(at.host)) return refused("other machines reach that, and there is no token", fix)
  return Effect.succeed({ ...at, token: randomBytes(32).toString("hex"), tellsToken: true })
}

/** The address that runners are told: this machine's name where it listens on all of its addresses. */
export const urlOf = ({ host }: Pick<Listening, "host">, port: number): string => {
  const name = host === "0.0.0.0" || host === "::" ? hostname() : host
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`
}
