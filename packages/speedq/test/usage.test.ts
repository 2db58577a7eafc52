import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import { assert, describe, it, vi } from "vitest"
import { runCommandLine } from "../src/command/speedq.ts"
import { WrongUsage } from "../src/Errors.ts"
import { speedqProcess } from "./support/speedq.ts"

const names = [
  "run",
  "worker",
  "plan",
  "status",
  "evaluate",
  "merge",
  "serve",
  "score",
  "compare",
  "export",
  "chat",
  "init",
  "doctor",
  "data",
  "clean",
  "create"
]

const run = (args: readonly string[]) => runCommandLine(args).pipe(Effect.provide(NodeServices.layer))

/** The message of a wrong command line. */
const refused = async (...args: string[]): Promise<string> => {
  const error = await Effect.runPromise(Effect.flip(run(args)))
  assert.instanceOf(error, WrongUsage)
  assert.strictEqual(Runtime.getErrorExitCode(error), 2)
  return error.message
}

/** What goes to a stream while `work` runs. */
const written = async (stream: NodeJS.WriteStream, work: () => Promise<unknown>): Promise<string> => {
  const write = vi.spyOn(stream, "write").mockReturnValue(true)
  try {
    await work()
    return write.mock.calls.map(([text]) => String(text)).join("")
  } finally {
    write.mockRestore()
  }
}

describe("wrong usage", () => {
  it("names a flag or command like the unknown one, and where to read more", async () => {
    const message = await refused("plan", "x.json", "--jsn")
    assert.match(message, /^Unrecognized flag: --jsn.*--json\nsee "speedq plan --help"$/s)
    assert.match(await refused("pln"), /\bplan\b/)
  })

  it("names what is missing", async () => {
    assert.match(await refused("run"), /Missing required argument: recipe/)
    assert.match(await refused("init", "--config", "nano"), /--out/)
    const all = "Missing required argument: model\nMissing required flag: --data\nMissing required flag: --benchmark\n"
    assert.strictEqual(await refused("evaluate"), `${all}see "speedq evaluate --help"`)
    const rest = 'Missing required flag: --benchmark\nsee "speedq evaluate --help"'
    for (const data of [["--data", "evaluate"], ["--data=d.tsv"]]) {
      assert.strictEqual(await refused("evaluate", "--json", ...data, "--limit", "3", "model"), rest)
    }
  })

  it("names the values that a flag takes", async () => {
    for (const name of ["cuda", "gpujs:webgpu+f8"]) {
      assert.match(
        await refused("chat", "model", "hello", "--backend", name),
        /gpujs\[:webgpu.*gpujs:webgpu\+f16\[x3\]/s
      )
    }
    assert.match(await refused("score", "p.xlsx", "--data", "d.tsv", "--benchmark", "MMStarr"), /one of .*MMStar/)
    assert.match(await refused("chat", "model", "hello", "--max-tiles", "0"), /a whole number above 0/)
  })

  it("takes a value that does not fit for wrong usage, and names the stage as its directory is", async () => {
    const message = await refused("plan", "nano-2bit", "--set", "qat.maxSteps=-1", "--set", "04-evaluate-3.batch=x")
    assert.strictEqual(
      message,
      '--set: 04-evaluate-3.batch: Expected number, got "x"\n' +
        '--set: 09-qat.maxSteps: Expected a value greater than 0, got -1\nsee "speedq plan --help"'
    )
    assert.include(await refused("run", "nano-2bit", "--set", "seed=-1"), "--set: seed: Expected a value greater")
  })

  it("refuses flags that would do nothing", async () => {
    const message = await refused("chat", "model", "hello", "--top-p", "0.5", "--seed", "3")
    const advice = "is for sampling; add --temperature, such as --temperature 0.7"
    assert.strictEqual(message, `--top-p ${advice}\n--seed ${advice}\nsee "speedq chat --help"`)
  })

  it("shows the commands on standard error when none is given", async () => {
    const text = await written(process.stderr, () => refused())
    for (const name of names) assert.match(text, new RegExp(`^  ${name} +\\w`, "m"))
  })

  it("ends the process with 2 and one message without a stack", async () => {
    const { code, stdout, stderr } = await speedqProcess(["plan", "--jsn"])
    assert.strictEqual(code, 2)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /^error: Unrecognized flag: --jsn/)
    assert.notMatch(stderr, /\n {4}at /)
  })
})

describe("help", () => {
  it("is on standard output, with an example for every command", async () => {
    for (const name of [...names, "data check"]) {
      const text = await written(process.stdout, () => Effect.runPromise(run([...name.split(" "), "--help"])))
      assert.match(text, new RegExp(`USAGE\n {2}speedq ${name} .*EXAMPLES\n.*speedq ${name}`, "s"))
    }
  })

  it("marks required flags, shows defaults, and fits the terminal but for commands to copy", async () => {
    const columns = Object.getOwnPropertyDescriptor(process.stdout, "columns")
    Object.defineProperty(process.stdout, "columns", { value: 64, configurable: true })
    try {
      const text = await written(process.stdout, () => Effect.runPromise(run(["evaluate", "--help"])))
      const [help = "", examples = ""] = text.split("EXAMPLES")
      assert.isAtMost(Math.max(...help.split("\n").map((line) => line.length)), 64)
      assert.include(
        examples,
        "  speedq evaluate models/InternVL3-1B --data MMStar.tsv --benchmark MMStar --limit 20\n"
      )
      assert.match(help, /--data FILE\.tsv\s+required:\s+the\s+benchmark's/)
      assert.match(
        help,
        /--out DIR\s+directory\s+for\s+answers,\s+predictions\s+and\s+score;\s+default:\s+evaluations\n/
      )
      for (const optional of ["limit", "plugin", "json", "matcher"]) {
        assert.notMatch(help, new RegExp(`--${optional} [^-]*required`))
      }
    } finally {
      if (columns === undefined) Reflect.deleteProperty(process.stdout, "columns")
      else Object.defineProperty(process.stdout, "columns", columns)
    }
  })

  it("prints the version", async () => {
    const version = await written(process.stdout, () => Effect.runPromise(run(["--version"])))
    assert.match(version, /^speedq \d+\.\d+\.\d+\n$/)
  })
})
