/** Where files are served: on loopback by default, beyond it with a token of the environment alone. */
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import { afterEach, assert, describe, it, vi } from "vitest"
import { listeningAt, urlOf } from "../src/blobs/listening.ts"

afterEach(() => vi.unstubAllEnvs())
const withToken = (token: string) => vi.stubEnv("SPEEDQ_TOKEN", token)
const refusalOf = async (listen: string) => (await Effect.runPromise(Effect.flip(listeningAt(listen)))).message

describe("listeningAt", () => {
  it("is a free port of loopback by default, with a token of its own each time", async () => {
    withToken("")
    const [one, other] = [await Effect.runPromise(listeningAt()), await Effect.runPromise(listeningAt())]
    assert.deepStrictEqual(
      { host: one.host, port: one.port, tellsToken: one.tellsToken },
      {
        host: "127.0.0.1",
        port: 0,
        tellsToken: true
      }
    )
    assert.match(one.token, /^[0-9a-f]{64}$/)
    assert.notStrictEqual(other.token, one.token)
    for (const listen of ["localhost:1", "[::1]:4711", "127.1.2.3:65535"]) {
      assert.isTrue((await Effect.runPromise(listeningAt(listen))).tellsToken, listen)
    }
  })

  it("refuses to listen beyond loopback without a token, and says what to do", async () => {
    withToken("")
    for (const listen of ["0.0.0.0:0", "[::]:4711", "host-a:4711", "10.0.0.1:1", "127.0.0.1.example.org:1"]) {
      const message = await refusalOf(listen)
      assert.include(message, `--listen ${listen}: other machines reach that, and there is no token; set SPEEDQ_TOKEN`)
    }
  })

  it("refuses a token that is short, and never tells it", async () => {
    withToken("fifteen letters")
    for (const listen of ["0.0.0.0:0", "127.0.0.1:0"]) {
      const message = await refusalOf(listen)
      assert.include(message, "the token in SPEEDQ_TOKEN has 15 characters; set SPEEDQ_TOKEN to 16 characters or more")
      assert.notInclude(message, "fifteen")
    }
  })

  it("takes the token of the environment, which nobody is told", async () => {
    withToken("sixteen letters.")
    const { token, tellsToken } = await Effect.runPromise(listeningAt("0.0.0.0:4711"))
    assert.deepStrictEqual({ token, tellsToken }, { token: "sixteen letters.", tellsToken: false })
  })

  it("refuses what is no HOST:PORT", async () => {
    for (const listen of ["4711", "host", "host:", "::1:4711", "host:70000", "http://host:1", "a b:1", ""]) {
      assert.match(await refusalOf(listen), /that is no HOST:PORT; write for example/, listen)
    }
  })
})

describe("urlOf", () => {
  it("names this machine where all of its addresses are listened on", () => {
    assert.strictEqual(urlOf({ host: "127.0.0.1" }, 7), "http://127.0.0.1:7")
    assert.strictEqual(urlOf({ host: "::1" }, 7), "http://[::1]:7")
    assert.strictEqual(urlOf({ host: "0.0.0.0" }, 7), `http://${hostname()}:7`)
  })
})
