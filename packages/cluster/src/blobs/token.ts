/**
 * A token that the run and its runners share. A request proves that its sender knows it and does not carry it: whoever listens on the way
 * learns nothing to ask for other files with, or to send any.
 */
import { createHmac, timingSafeEqual } from "node:crypto"

/** Environment variable of the run and of its runners. */
export const tokenVariable = "SPEEDQ_TOKEN"
/** Fewer could be tried out. */
export const fewestCharacters = 16

/** The token that a process was started with; undefined where it has none. */
export const tokenOfEnvironment = (): string | undefined => {
  const token = process.env[tokenVariable]
  return token === "" ? undefined : token
}

/** What is signed of a request: all that decides what it does. */
interface SignedRequest {
  readonly method: string
  readonly path: string
  /** Of its body. */
  readonly bytes: number
}

/** HMAC-SHA-256 under the token. */
const signatureOf = (token: string, { method, path, bytes }: SignedRequest): Buffer =>
  createHmac("sha256", token).update(`${method} ${path} ${bytes}`).digest()

/** The header `authorization` of a request. */
export const authorizationOf = (token: string, request: SignedRequest): string =>
  `SpeedQ ${signatureOf(token, request).toString("hex")}`

/** Whether the header is that of the request, in a time that tells nothing of how far it agrees. */
export const isAuthorized = (token: string, request: SignedRequest, header: string | undefined): boolean => {
  const given = /^SpeedQ ([0-9a-f]{64})$/.exec(header ?? "")?.[1]
  return given !== undefined && timingSafeEqual(Buffer.from(given, "hex"), signatureOf(token, request))
}
