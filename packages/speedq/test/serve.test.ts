/** A model over HTTP: answers as the command gives them, and what is refused. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer, request as httpRequest } from "node:http"
import type { AddressInfo } from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Answered } from "../src/models/ask.ts"
import { serveModel } from "../src/serve/serveModel.ts"
import { stopText } from "../src/serve/stopText.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, json } from "./support/inProcess.ts"
import { randomNano } from "./support/smallRun.ts"

const native = ["--backend", "native:none"]
const file = join(shippedNano, "images", "0001.png")
const url = `data:image/png;base64,${readFileSync(file).toString("base64")}`
const picture = { type: "image_url", image_url: { url } }

const directory = mkdtempSync(join(tmpdir(), "speedq-serve-"))
const scope = Scope.makeUnsafe()
const served = { model: "", address: "" }
beforeAll(async () => {
  served.model = await randomNano(directory)
  let tell = (_: string): void => {}
  const told = new Promise<string>((resolve) => {
    tell = resolve
  })
  const limits = { port: 0, maxNewTokens: 12, maxTiles: undefined, maxPixels: undefined, verify: false }
  const serving = serveModel(
    { ...limits, model: served.model, arithmetic: "f32", activations: "f32" },
    "native:none",
    (text) => Effect.sync(() => tell(text))
  )
  Effect.runFork(Effect.forkIn(serving.pipe(Effect.provide(NodeServices.layer)), scope))
  served.address = /http:\/\/127\.0\.0\.1:\d+/.exec(await told)![0]
})
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(directory, { recursive: true, force: true })
})

const post = (body: unknown, init: RequestInit = {}) =>
  fetch(`${served.address}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...init
  })
const user = (content: unknown) => ({ role: "user", content })

interface Completion {
  readonly model: string
  readonly choices: readonly [{ readonly message: { readonly content: string }; readonly finish_reason: string }]
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number }
}
const completed = async (body: object): Promise<Completion> => {
  const response = await post(body)
  const text = await response.text()
  assert.strictEqual(response.status, 200, text)
  return JSON.parse(text) as Completion
}
const contentOf = ({ choices: [{ message }] }: Completion) => message.content

interface Chunk {
  readonly id: string
  readonly choices: readonly { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }[]
  readonly usage?: Completion["usage"]
}

/** JSON of all events of a stream. */
const events = (text: string) => {
  const all = text.split("\n\n").filter((line) => line !== "")
  assert.isTrue(all.every((line) => line.startsWith("data: ")))
  assert.strictEqual(all.at(-1), "data: [DONE]")
  return all.slice(0, -1).map((line) => JSON.parse(line.slice(6)) as Chunk)
}

describe("a served model", () => {
  it("answers as chat does, and counts tokens", async () => {
    const asked = ["What is this?", "--image", file, "--max-new-tokens", "12", ...native]
    const { answer } = (await json(["chat", served.model, ...asked])) as Answered
    const orders = [
      [{ type: "text", text: "What is this?" }, picture],
      [picture, { type: "text", text: "What is this?" }]
    ]
    for (const content of orders) {
      const completion = await completed({ model: "any", messages: [user(content)] })
      assert.strictEqual(contentOf(completion), answer)
      const { prompt_tokens, completion_tokens, total_tokens } = completion.usage
      assert.strictEqual(total_tokens, prompt_tokens + completion_tokens)
      assert.strictEqual(completion.choices[0].finish_reason, completion_tokens === 12 ? "length" : "stop")
    }
    const short = await completed({ messages: [user("Hello")], max_tokens: 2 })
    assert.deepInclude(short.usage, { completion_tokens: 2 })
    assert.strictEqual(short.choices[0].finish_reason, "length")
  })

  it("streams the same answer in pieces, with its usage where that is asked for", async () => {
    const body = { messages: [user([picture, { type: "text", text: "Describe." }])] }
    const whole = await completed(body)
    const response = await post({ ...body, stream: true, stream_options: { include_usage: true } })
    assert.match(response.headers.get("content-type")!, /^text\/event-stream/)
    const all = events(await response.text())
    const pieces = all.flatMap(({ choices }) => choices.map(({ delta }) => delta.content ?? ""))
    assert.strictEqual(pieces.join("").trim(), contentOf(whole))
    assert.deepStrictEqual(all.at(-1)!.usage, whole.usage)
    assert.deepStrictEqual(all.at(-2)!.choices[0]!.finish_reason, whole.choices[0].finish_reason)
    assert.strictEqual(new Set(all.map(({ id }) => id)).size, 1)
  })

  it("hears history, system messages, several pictures between texts, and sampling", async () => {
    const history = [user([picture, { type: "text", text: "First?" }]), { role: "assistant", content: "yes" }]
    const alone = contentOf(await completed({ messages: [user("And now?")] }))
    assert.notStrictEqual(contentOf(await completed({ messages: [...history, user("And now?")] })), alone)
    const system = { role: "system", content: "Answer in one word, in capital letters." }
    assert.notStrictEqual(contentOf(await completed({ messages: [system, user("And now?")] })), alone)
    const text = (said: string) => ({ type: "text", text: said })
    await completed({ messages: [user([text("Left:"), picture, text("right:"), picture, text("which?")])] })
    const drawn = { messages: [user("Say.")], temperature: 2, seed: 5 }
    assert.strictEqual(contentOf(await completed(drawn)), contentOf(await completed(drawn)))
    assert.notStrictEqual(contentOf(await completed(drawn)), contentOf(await completed({ ...drawn, seed: 6 })))
  })

  it("ends before a stop word", async () => {
    const messages = [user("Hello")]
    const whole = contentOf(await completed({ messages }))
    assert.isAbove(whole.length, 4)
    const stop = whole.slice(2, 4)
    const cut = await completed({ messages, stop: [stop, "never said"] })
    assert.strictEqual(contentOf(cut), whole.slice(0, whole.indexOf(stop)).trim())
    assert.strictEqual(cut.choices[0].finish_reason, "stop")
  })

  it("lets nobody wait for a client that does not read, and computes nothing for one that left before its turn", async () => {
    const unread = await post({ messages: [user("Go on")], stream: true })
    await completed({ messages: [user("a")] })
    const leaving = new AbortController()
    const waiting = ["b", "c"].map((said) => post({ messages: [user(said)] }, { signal: leaving.signal }))
    leaving.abort()
    for (const each of waiting)
      await each.then(
        () => assert.fail("it was answered"),
        () => undefined
      )
    await completed({ messages: [user("d")] })
    assert.isNotEmpty(events(await unread.text()))
  })

  it("takes the most likely token where the share of them is 0", async () => {
    const drawn = { messages: [user("Say.")], temperature: 2, top_p: 0 }
    assert.strictEqual(contentOf(await completed(drawn)), contentOf(await completed({ messages: [user("Say.")] })))
  })

  it("answers several that ask at once, and goes on when one of them leaves", async () => {
    const leaving = new AbortController()
    const left = post({ messages: [user("Leave")], stream: true }, { signal: leaving.signal })
    await (await left).body!.getReader().read()
    leaving.abort()
    const answers = await Promise.all(["a", "b", "c"].map((said) => completed({ messages: [user(said)] })))
    assert.lengthOf(answers, 3)
  })

  it("says what it is", async () => {
    const list = (await (await fetch(`${served.address}/v1/models`)).json()) as {
      readonly data: readonly { readonly id: string }[]
    }
    const { model } = await completed({ messages: [user("?")], max_tokens: 1 })
    assert.deepStrictEqual(
      list.data.map(({ id }) => id),
      [model]
    )
    assert.deepStrictEqual(await (await fetch(`${served.address}/health`)).json(), { status: "ok" })
  })
})

describe("a served model refuses", () => {
  const refused = async (body: unknown, init?: RequestInit) => {
    const response = await post(body, init)
    const { error } = (await response.json()) as { readonly error: { readonly message: string } }
    return `${response.status} ${error.message}`
  }

  it.each([
    [{ messages: [user("a")], n: 2 }, /^400 n cannot be served; leave it out$/],
    [{ messages: [user("a")], tools: [{}] }, /^400 tools/],
    [{ messages: [user("a")], response_format: { type: "json_object" } }, /^400 response_format/],
    [{ messages: [user("a")], temperature: -1 }, /^400 .*temperature/s],
    [{ messages: [user("a")], logit_bias: 5 }, /^400 logit_bias cannot be served/],
    [{ messages: [user("a")], max_new_tokens: 3 }, /^400 "max_new_tokens" is no field that is known here/],
    [{ messages: [{ role: "system", content: [picture] }, user("a")] }, /^400 a system message has a picture/],
    [
      { messages: [user([{ type: "image_url", image_url: { url: "data:image/png;base64,!!!!" } }])] },
      /^400 image_url begins with "data:image\/png;base64,!!!!": the rest is no base64/
    ],
    [{ messages: [] }, /^400 .*messages/s],
    [[], /^400 /],
    [{ messages: [{ role: "assistant", content: "a" }] }, /^400 roles are assistant; after system messages/],
    [{ messages: [{ role: "system", content: "a" }] }, /^400 roles are system/],
    [
      { messages: [user([{ type: "image_url", image_url: { url: "http://example.com/a.png" } }])] },
      /^400 image_url begins with "http:\/\/example\.com\/a\.png": nothing is fetched/
    ],
    [
      { messages: [user([{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }])] },
      /^400 picture 1: not an image/
    ],
    [{ messages: [user([picture, { type: "text", text: "what is <image>?" }])] }, /^400 a message spells out <image>/],
    [{ messages: [user("x ".repeat(20_000))] }, /^400 .*tokens/],
    [{ messages: [user("x ".repeat(20_000))], stream: true }, /^400 .*tokens/]
  ])("%#", async (body, reason) => {
    assert.match(await refused(body), reason)
  })

  it("what is no JSON, other paths, other hosts, and pages of other origins", async () => {
    assert.match(await refused(undefined, { body: '{"messages":' }), /^400 the body is no JSON/)
    const deep = `{"messages":[{"role":"user","content":"a"}],"tools":${"[".repeat(6000)}${"]".repeat(6000)}}`
    assert.match(await refused(undefined, { body: deep }), /^400 tools cannot be served/)
    const long = { messages: [user("a".repeat(65 * 2 ** 20))] }
    assert.match(await refused(long), /^400 the body is no JSON, or longer than 64 MiB$/)
    assert.match(await refused(undefined, { body: "{}", headers: { "content-type": "text/plain" } }), /^415 /)
    const from = { headers: { "content-type": "application/json", origin: "http://example.com" } }
    assert.match(await refused({ messages: [user("a")] }, from), /^403 a page of http:\/\/example\.com asks/)
    assert.strictEqual((await fetch(`${served.address}/v2`)).status, 404)
    assert.strictEqual((await fetch(`${served.address}//[`)).status, 404)
    const status = await new Promise((resolve) => {
      httpRequest(`${served.address}/health`, { headers: { host: "example.com" } }, ({ statusCode }) =>
        resolve(statusCode)
      ).end()
    })
    assert.strictEqual(status, 403)
  })

  it("to listen beyond loopback, and on a port that is taken", async () => {
    const port = new URL(served.address).port
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((each) => each?.internal === false && each.family === "IPv4")
    for (const { address } of others as readonly { readonly address: string }[]) {
      const reached = await fetch(`http://${address}:${port}/health`).then(
        () => true,
        () => false
      )
      assert.isFalse(reached, address)
    }
    const taken = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => taken.once("listening", resolve))
    const { port: number } = taken.address() as AddressInfo
    const { message } = await fails(["serve", served.model, "--port", `${number}`, ...native])
    taken.close()
    assert.strictEqual(
      message,
      `port ${number} of 127.0.0.1 is taken; give another one with --port, or 0 for a free one`
    )
  })
})

describe("a text with stop words", () => {
  const said = (words: readonly string[], ...pieces: readonly string[]) => {
    const stop = stopText(words)
    const out: string[] = []
    for (const piece of pieces) {
      const { text, stopped } = stop.push(piece)
      out.push(text)
      if (stopped) return out
    }
    return [...out, stop.flush()]
  }
  it.each([
    [[], ["a", "b"], ["a", "b", ""]],
    [["END"], ["aE", "N", "b"], ["a", "", "ENb", ""]],
    [["END"], ["aE", "ND", "b"], ["a", ""]],
    [["END"], ["a END b END"], ["a "]],
    [["END", "aE"], ["xaE", "ND"], ["x"]],
    [["END"], ["aEN"], ["a", "EN"]]
  ])("%j of %j", (words, pieces, given) => {
    assert.deepStrictEqual(said(words, ...pieces), given)
  })
})
