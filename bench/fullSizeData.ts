/**
 * A small real data set for runs at full size: nano's longest conversations with their pictures, and photographs of a directory,
 * each with a conversation about the colours of its parts:
 * `node --import tsx -C @speedq/source bench/fullSizeData.ts --out DIR [--photographs DIR] [--nano N]`.
 *
 * Writes `datasets.json`, the meta file that training stages take; `nano.jsonl` and `photographs.jsonl`; and `images/`.
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import sharp from "sharp"
import { Flags } from "./measure.ts"

interface Conversation {
  readonly image: string
  readonly conversations: readonly { readonly from: "human" | "gpt"; readonly value: string }[]
}

const repository = new URL("..", import.meta.url).pathname
const textOf = ({ conversations }: Conversation): string => conversations.map(({ value }) => value).join("")

const readLines = (file: string): readonly Conversation[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Conversation)

/** The `count` records with the most text, in the order of the file. */
const longest = (records: readonly Conversation[], count: number): readonly Conversation[] => {
  const lengths = records.map((record) => textOf(record).length).sort((a, b) => b - a)
  const least = lengths[Math.min(count, lengths.length) - 1] ?? 0
  return records.filter((record) => textOf(record).length >= least).slice(0, count)
}

const colours: { readonly [name: string]: readonly [number, number, number] } = {
  black: [20, 20, 20],
  "dark grey": [80, 80, 80],
  "light grey": [170, 170, 170],
  white: [240, 240, 240],
  "dark green": [45, 80, 35],
  "light green": [130, 180, 90],
  "reddish brown": [130, 70, 40],
  "light brown": [180, 150, 120],
  "dark brown": [60, 40, 30],
  blue: [70, 110, 180]
}

/** The name of the nearest colour. */
const colourOf = (pixel: readonly number[]): string => {
  const distance = (colour: readonly number[]) => colour.reduce((sum, value, i) => sum + (value - pixel[i]!) ** 2, 0)
  const [[name]] = Object.entries(colours).sort(([, a], [, b]) => distance(a) - distance(b)) as [[string, unknown]]
  return name
}

const parts = ["upper left", "top", "upper right", "left", "middle", "right", "lower left", "bottom", "lower right"]

/** A conversation of some 600 letters about a photograph. */
const describe = async (file: string, image: string): Promise<Conversation> => {
  const { width, height } = await sharp(file).metadata()
  const means = await sharp(file).removeAlpha().toColourspace("srgb").resize(3, 3, { fit: "fill" }).raw().toBuffer()
  const named = parts.map((part, i) => [part, colourOf([...means.subarray(3 * i, 3 * i + 3)])] as const)
  const sentences = named.map(([part, colour]) => `The ${part} is mostly ${colour}.`)
  const [, middle] = named[4]!
  return {
    image,
    conversations: [
      { from: "human", value: "<image>\nGo through the parts of this photograph and name the colour of each." },
      { from: "gpt", value: sentences.join(" ") },
      { from: "human", value: "Which parts have the colour of the middle?" },
      {
        from: "gpt",
        value: `The middle is mostly ${middle}, and so are: ${named.flatMap(([part, colour]) => (colour === middle ? [part] : [])).join(", ")}.`
      },
      { from: "human", value: "Is it taller than wide?" },
      { from: "gpt", value: `${height > width ? "Yes" : "No"}: it is ${width} pixels wide and ${height} high.` }
    ]
  }
}

const flags = new Flags(process.argv.slice(2))
const out = flags.text("out")
if (out === undefined) throw new Error("--out DIR is needed")
const images = join(out, "images")
mkdirSync(images, { recursive: true })

const nano = join(repository, "data", "nano")
const records = longest(readLines(join(nano, "train.jsonl")), flags.number("nano", 16))
for (const { image } of records) copyFileSync(join(nano, image), join(images, basename(image)))

const directory = flags.text("photographs")
const photographs = directory === undefined ? [] : readdirSync(directory).filter((name) => /\.(jpe?g|png)$/i.test(name))
const described: Conversation[] = []
for (const name of photographs.sort()) {
  copyFileSync(join(directory!, name), join(images, name))
  described.push(await describe(join(images, name), `images/${name}`))
}

const sets = { photographs: described, nano: records }
const filled = Object.entries(sets).filter(([, set]) => set.length > 0)
for (const [name, set] of filled) {
  writeFileSync(join(out, `${name}.jsonl`), set.map((record) => `${JSON.stringify(record)}\n`).join(""))
}
const meta = filled.map(
  ([name, set]) => [name, { root: ".", annotation: `${name}.jsonl`, length: set.length }] as const
)
writeFileSync(join(out, "datasets.json"), `${JSON.stringify(Object.fromEntries(meta), null, 2)}\n`)
const letters = filled.flatMap(([, set]) => set.map((record) => textOf(record).length))
process.stdout.write(
  `${letters.length} conversations of ${Math.min(...letters)} to ${Math.max(...letters)} letters in ${out}\n`
)
