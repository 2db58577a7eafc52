import { copyFileSync, mkdirSync, truncateSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { ignoredLabel } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import {
  type ConversationRecord,
  carefulData,
  collate,
  type DataQuirks,
  decodeImage,
  estimateRecordLength,
  imagenetStatistics,
  imageTiles,
  type RecordOrigin,
  referenceData,
  referenceLengthEstimator,
  referenceVideo,
  SampleRejected,
  type SampleSettings,
  sampleOutline,
  type Turn,
  trainingSample
} from "../src/index.ts"
import { fixturePath } from "./fixture.ts"
import { qwen } from "./qwen.ts"
import { randomSource } from "./randomSource.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const settings: SampleSettings = {
  tokenizer: qwen,
  tokensPerTile: 4,
  maxLength: 8192,
  image: {
    tileSize: 28,
    minTiles: 1,
    maxTiles: 6,
    thumbnail: true,
    dynamic: true,
    padToSquare: false,
    statistics: imagenetStatistics
  },
  video: { ...referenceVideo, minFrames: 3, maxFrames: 5 },
  quirks: carefulData
}
const origin: RecordOrigin = { file: "set.jsonl", line: 12, root: fixturePath("images"), dataAugment: false }

const human = (value: string): Turn => ({ from: "human", value })
const gpt = (value: string): Turn => ({ from: "gpt", value })
const system = (value: string): Turn => ({ from: "system", value })
const record = (
  turns: readonly [Turn, ...Array<Turn>],
  shown: Partial<ConversationRecord> = {}
): ConversationRecord => ({
  conversations: turns,
  ...shown
})
const make = (made: ConversationRecord, changed: Partial<SampleSettings> = {}, from: Partial<RecordOrigin> = {}) =>
  trainingSample(made, { ...origin, ...from }, { ...settings, ...changed }, randomSource(1))
const rejection = Effect.fnUntraced(function* (made: ConversationRecord, changed: Partial<SampleSettings> = {}) {
  const error = yield* Effect.flip(make(made, changed))
  assert.instanceOf(error, SampleRejected)
  assert.isTrue(error.message.startsWith("set.jsonl:12: sample rejected: "))
  return error.reason
})
const quirks = (on: Partial<DataQuirks>) => ({ quirks: { ...carefulData, ...on } })
const userText = (ids: Int32Array): string => qwen.decode(ids).split("<|im_start|>user\n")[1]!
const contexts = (ids: Int32Array): number => ids.filter((id) => id === 151667).length

describe("trainingSample of one image", () => {
  // 37 x 29 pixels: 3 x 2 tiles and the thumbnail.
  const image = "c420.jpg"

  it.effect("puts the image first, tiles it, and flags its tiles", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([human("What is it?"), gpt("Noise.")], { image }))
      assert.isTrue(userText(sample.inputIds).startsWith("<img><IMG_CONTEXT>"))
      const decoded = yield* decodeImage(join(origin.root, image))
      assert.deepEqual(sample.tiles, imageTiles(decoded, settings.image))
      assert.deepEqual([...sample.imageFlags], new Array(sample.tiles.count).fill(1))
      assert.strictEqual(contexts(sample.inputIds), 4 * sample.tiles.count)
      assert.strictEqual(sample.answerTokens, qwen.encode("Noise.<|im_end|>").length)
    })
  )

  it.effect("keeps a place that is marked, wherever it is in the first turn", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([human("See <image> here"), gpt("ok")], { image }))
      assert.isTrue(userText(sample.inputIds).startsWith("See <img>"))
    })
  )

  it.effect("marks the first human turn after a system turn; the reference marks the system turn and fails", () =>
    Effect.gen(function* () {
      const made = record([system("Be brief."), human("What?"), gpt("ok")], { image })
      assert.isTrue(userText((yield* make(made)).inputIds).startsWith("<img>"))
      const marked = quirks({ placeholderInFirstTurn: true, unmatchedPlaceholders: true })
      assert.match(yield* rejection(made, marked), /1 images, but 0 <image>/)
      assert.match(
        yield* rejection(made, quirks({ placeholderInFirstTurn: true })),
        /turn 1, of the system, has <image>/
      )
    })
  )

  it.effect("obeys the data set's own number of tiles", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([human("?"), gpt("!")], { image }), {}, { maxTiles: 2 })
      assert.strictEqual(sample.tiles.count, 1)
    })
  )

  it.effect("compresses tiles on request, from the random stream", () =>
    Effect.gen(function* () {
      const made = record([human("?"), gpt("!")], { image: "interlaced.png" })
      const plain = yield* make(made)
      const first = yield* make(made, {}, { dataAugment: true })
      assert.notDeepEqual(first.tiles.data, plain.tiles.data)
      assert.deepEqual(yield* make(made, {}, { dataAugment: true }), first)
      assert.deepEqual(first.inputIds, plain.inputIds)
      const whole = { image: { ...settings.image, dynamic: false } }
      assert.strictEqual((yield* make(made, whole, { dataAugment: true })).tiles.count, 1)
    })
  )

  it.effect("rejects with file, line and reason", () =>
    Effect.gen(function* () {
      const turns = [human("?"), gpt("!")] as const
      assert.match(yield* rejection(record([...turns], { image: "none.jpg" })), /none\.jpg: cannot read/)
      assert.match(yield* rejection(record([...turns], { image: "s3://bucket/a.jpg" })), /remote path/)
      assert.match(
        yield* rejection(record([...turns], { image }), { maxPixels: 10 }),
        /37 x 29 pixels are more than 10/
      )
      assert.match(
        yield* rejection(record([...turns], { image }), { maxLength: 60 }),
        /truncation to 60 tokens the sequence has 0 <\/img>, but the record has 1/
      )
      const spelled = record([human("</img>"), gpt("!")], { image })
      assert.match(yield* rejection(spelled, quirks({ controlTokensInText: true })), /has 2 <\/img>/)
      assert.match(yield* rejection(record([human("?"), system("no"), gpt("!")], { image })), /turn 2 is a system turn/)
    })
  )
})

describe("trainingSample of several images", () => {
  it.effect("shares the tiles among them and marks nothing", () =>
    Effect.gen(function* () {
      const turns = [human("<image> or <image>?"), gpt("neither")] as const
      const sample = yield* make(record([...turns], { image: ["c420.jpg", "rgb8.png"] }))
      const maxTiles = Math.floor(6 / 2)
      let tiles = 0
      for (const name of ["c420.jpg", "rgb8.png"]) {
        tiles += imageTiles(yield* decodeImage(join(origin.root, name)), settings.image, maxTiles).count
      }
      assert.strictEqual(sample.tiles.count, tiles)
      assert.strictEqual(contexts(sample.inputIds), 4 * tiles)
      const unmarked = record([human("?"), gpt("!")], { image: ["c420.jpg"] })
      assert.match(yield* rejection(unmarked), /the human turns have 0 <image>, but the record has 1 image;/)
      assert.match(yield* rejection(unmarked, quirks({ unmatchedPlaceholders: true })), /1 images, but 0 <image>/)
      const many = new Array<string>(8).fill("rgb8.png")
      const crowded = yield* make(record([human("<image>".repeat(8)), gpt("!")], { image: many }))
      assert.strictEqual(crowded.tiles.count, 8)
    })
  )

  it.effect("refuses a record whose pictures have more pixels together than one may have", () =>
    Effect.gen(function* () {
      const pair = record([human("<image><image>"), gpt("!")], { image: ["rgb8.png", "rgb8.png"] })
      const { width, height } = yield* decodeImage(join(origin.root, "rgb8.png"))
      const pixels = 2 * width * height
      assert.strictEqual((yield* make(pair, { maxPixels: pixels })).tiles.count, 2)
      const refused = `its 2 pictures have ${pixels} pixels together, more than ${pixels - 1};`
      assert.include(yield* rejection(pair, { maxPixels: pixels - 1 }), refused)
    })
  )
})

describe("places of pictures", () => {
  const image = "c420.jpg"
  const pictured = /<img>(?:<IMG_CONTEXT>)+<\/img>/g
  const reference = { quirks: { ...referenceData, textOnlyTile: false } }
  /** What was said, pictures as marks. */
  const said = (made: ConversationRecord, changed: Partial<SampleSettings> = {}) =>
    Effect.map(make(made, changed), ({ inputIds }) =>
      qwen.decode(inputIds).replaceAll(pictured, "[picture]").split("\n<|im_start|>user\n").slice(1).join(" / ")
    )
  const learned = (made: ConversationRecord, changed: Partial<SampleSettings> = {}) =>
    Effect.map(make(made, changed), ({ labels }) => qwen.decode(labels.filter((label) => label !== ignoredLabel)))

  it.effect(
    "a mark in a later turn takes the picture there; the reference moves it to the first and learns from a word",
    () =>
      Effect.gen(function* () {
        const made = record([human("Hi."), gpt("Hello."), human("<image>\nWhat?"), gpt("Noise.")], { image })
        assert.match(yield* said(made), /^Hi\.<\|im_end\|>.*\/ \[picture\]\nWhat\?/s)
        assert.match(yield* said(made, reference), /^\[picture\]\nHi\.<\|im_end\|>.*\/ <image>\nWhat\?/s)
        const video = record([human("Hi."), gpt("Hello."), human("<video>\nWhat?"), gpt("Noise.")], {
          video: "anim.gif"
        })
        assert.match(yield* said(video), /^Hi\..*\/ Frame-1: \[picture\]\nFrame-2/s)
        assert.match(yield* said(video, reference), /^Frame-1: \[picture\]\nFrame-2.*\/ <video>\nWhat\?/s)
      })
  )

  it.effect("a conversation that the model begins shows its picture in the first human turn, never in an answer", () =>
    Effect.gen(function* () {
      const unmarked = record([gpt("Welcome."), human("What?"), gpt("Noise.")], { image })
      assert.match(yield* said(unmarked), /^\[picture\]\nWhat\?/)
      const marked = record([gpt("Welcome."), human("<image>\nWhat?"), gpt("Noise.")], { image })
      assert.deepEqual(yield* make(marked), yield* make(unmarked))
      assert.notInclude(yield* learned(marked), "<image>")
      assert.include(yield* learned(marked, reference), "<image>")
      const answered = record([human("Where?"), gpt("<image> here")])
      assert.match(yield* rejection(answered), /turn 2, of the model, has <image>, which only a human turn can show/)
      assert.include(yield* learned(answered, reference), "<image>")
      const alone = record([gpt("Welcome.")], { image })
      assert.match(yield* rejection(alone), /the human turns have 0 <image>, but the record has 1 image/)
    })
  )

  it.effect("marks and pictures that do not match reject the record; the reference leaves marks as text", () =>
    Effect.gen(function* () {
      const cases: ReadonlyArray<readonly [ConversationRecord, RegExp]> = [
        [
          record([human("<image>\n<image>\n?"), gpt("!")], { image }),
          /have 2 <image>, but the record has 1 image; mark each/
        ],
        [
          record([human("<image>\n<image>\n<image>"), gpt("!")], { image: [image, image] }),
          /have 3 <image>.*has 2 images/
        ],
        [record([human("<image>\n?"), gpt("!")]), /have 1 <image>, but the record has no images/],
        [record([human("<image>\n?"), gpt("!")], { image: "" }), /have 1 <image>.*no images/],
        [record([human("<video>\n?"), gpt("!")], { image }), /have 1 <video>, but the record has no videos/],
        [record([human("<image>\n?"), gpt("!")], { video: "anim.gif" }), /have 1 <image>.*no images/]
      ]
      for (const [made, message] of cases) assert.match(yield* rejection(made), message)
      for (const [made] of cases.slice(0, 5)) assert.match(yield* said(made, reference), /<image>|<video>/)
    })
  )

  it.effect("lists of pictures under the keys of other trainers are read; the reference takes them for text", () =>
    Effect.gen(function* () {
      const turns = [human("<image> or <image>?"), gpt("neither")] as const
      const own = record([...turns], { image: [image, "rgb8.png"] })
      const listed = record([...turns], { images: [image, "rgb8.png"] })
      assert.deepEqual(yield* make(listed), yield* make(own))
      assert.match(yield* said(listed, reference), /^<image> or <image>\?/)
      const estimate = (made: ConversationRecord) => estimateRecordLength(made, origin, settings)
      assert.strictEqual(yield* estimate(listed), yield* estimate(own))
      const video = record([human("<video>\n?"), gpt("!")], { videos: ["anim.gif"] })
      assert.isAbove((yield* make(video)).tiles.count, 1)
      assert.strictEqual((yield* make(record([human("?"), gpt("!")], { images: null, videos: [] }))).tiles.count, 0)
      const ambiguous: ReadonlyArray<readonly [Partial<ConversationRecord>, RegExp]> = [
        [{ image, images: [image] }, /both "image" and "images"/],
        [{ videos: ["a.mp4", "b.mp4"] }, /2 videos; only one/],
        [{ image, video: "anim.gif" }, /images and a video/]
      ]
      for (const [shown, message] of ambiguous) {
        const made = record([human("?"), gpt("!")], shown)
        assert.match(yield* rejection(made), message)
        assert.match((yield* Effect.flip(estimate(made))).message, message)
      }
      assert.strictEqual((yield* make(record([human("?"), gpt("!")], { image: null }))).tiles.count, 0)
      const foreign = { ...record([human("?"), gpt("!")]), unreadByReference: "it reads no such thing" }
      assert.strictEqual((yield* make(foreign)).tiles.count, 0)
      assert.match(yield* rejection(foreign, reference), /it reads no such thing/)
    })
  )
})

describe("control tokens in the text of a record", () => {
  it.effect("reject it, with turn and token; in the reference they become the tokens", () =>
    Effect.gen(function* () {
      const control = [
        "<|im_start|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<img>",
        "</img>",
        "<IMG_CONTEXT>",
        "<|vision_pad|>"
      ]
      for (const token of control) {
        const asked = record([human(`What is ${token}?`), gpt("ok")])
        const message = new RegExp(`turn 1 spells out ${token.replaceAll("|", "\\|")}, a control token`)
        assert.match(yield* rejection(asked), message)
        const answered = record([human("?"), gpt(`${token} ok`)], { image: "rgb8.png" })
        assert.match(yield* rejection(answered), /turn 2 spells out/)
        const { inputIds } = yield* make(asked, quirks({ controlTokensInText: true }))
        const plain = yield* make(record([human("What is ?"), gpt("ok")]))
        const times = (ids: Int32Array) => ids.filter((id) => id === qwen.tokenId(token)).length
        assert.strictEqual(times(inputIds), times(plain.inputIds) + 1)
      }
      // Marks of places are what InternVL's own data say about pictures.
      const places = yield* make(record([human("Where is <ref>the dog</ref>?"), gpt("<box>[[1, 2, 3, 4]]</box>")]))
      assert.isTrue(places.inputIds.includes(qwen.tokenId("<box>")!))
      // What looks like one only before normalization is none.
      yield* make(record([human("<img>\u0338"), gpt("ok")]))
    })
  )
})

describe("trainingSample without images", () => {
  it.effect("is text; the reference adds a white tile that does not count", () =>
    Effect.gen(function* () {
      const made = record([human("<image> is a word here"), gpt("yes")], { image: [] })
      const sample = yield* make(made, quirks({ unmatchedPlaceholders: true }))
      assert.strictEqual(sample.tiles.count, 0)
      assert.isTrue(userText(sample.inputIds).startsWith("<image> is a word"))
      assert.strictEqual((yield* make(record([human("Hello"), gpt("yes")], { image: "" }))).tiles.count, 0)
      const reference = yield* make(made, { quirks: referenceData })
      assert.deepEqual([...reference.imageFlags], [0])
      assert.isTrue(reference.tiles.data.length === 28 * 28 * 3 && reference.tiles.data.every((value) => value === 255))
      assert.deepEqual(reference.inputIds, sample.inputIds)
    })
  )

  it.effect("says when truncation left no answer", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([human("word ".repeat(100)), gpt("lost")]), { maxLength: 50 })
      assert.strictEqual(sample.answerTokens, 0)
      assert.isTrue(sample.labels.every((label) => label === ignoredLabel))
    })
  )
})

describe("trainingSample of a video", () => {
  const folder = join(temporaryDirectory(), "frames")
  mkdirSync(folder)
  for (let i = 0; i < 40; i++) copyFileSync(fixturePath("images/interlaced.png"), join(folder, `f_${i}.png`))
  const turns = [human("<video>\nWhat moves?"), gpt("Nothing.")] as const

  it.effect("lists its frames, one tile each", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([...turns], { video: "anim.gif" }))
      const frames = sample.tiles.count
      assert.isTrue(frames >= 3 && frames <= 5)
      const listed = userText(sample.inputIds).replaceAll(/<img>(<IMG_CONTEXT>){4}<\/img>/g, "<image>")
      const names = Array.from({ length: frames }, (_, i) => `Frame-${i + 1}: <image>\n`).join("")
      assert.isTrue(listed.startsWith(`${names}What moves?<|im_end|>`))
      const unmarked = yield* make(record([human("What moves?"), gpt("Nothing.")], { video: "anim.gif" }))
      assert.deepEqual(unmarked.inputIds, sample.inputIds)
    })
  )

  it.effect("takes as many frames as fit; the reference cuts the answer off instead", () =>
    Effect.gen(function* () {
      const video = { ...settings.video, minFrames: 30, maxFrames: 30 }
      const made = record([...turns], { video: folder })
      const whole = yield* make(made, { video })
      assert.strictEqual(whole.tiles.count, 30)
      for (const maxLength of [whole.inputIds.length - 2, 200, 120]) {
        const capped = yield* make(made, { video, maxLength })
        assert.isTrue(capped.inputIds.length <= maxLength && capped.inputIds.length > maxLength - 20)
        assert.strictEqual(contexts(capped.inputIds), 4 * capped.tiles.count)
        assert.strictEqual(capped.answerTokens, whole.answerTokens)
        const reference = yield* make(made, { video, maxLength, ...quirks({ uncappedVideo: true }) })
        assert.strictEqual(reference.tiles.count, 30)
        assert.strictEqual(reference.inputIds.length, maxLength)
        assert.isBelow(reference.answerTokens, whole.answerTokens)
      }
      assert.match(
        yield* rejection(made, { video, maxLength: 60 }),
        /with one frame the sequence has \d+ tokens, more than 60/
      )
    })
  )

  it.effect("cuts clips, which need a frame rate", () =>
    Effect.gen(function* () {
      const clip = (range: readonly [number, number]) => record([...turns], { video: folder, clip: range })
      assert.match(yield* rejection(clip([0, 1])), /needs a frame rate/)
      const video = { ...settings.video, framesPerSecond: 10 }
      assert.strictEqual(
        (yield* make(clip([1, 2]), { video })).imageFlags.every((flag) => flag === 1),
        true
      )
      assert.match(yield* rejection(clip([9, 12]), { video }), /none of the 40 frames/)
      assert.match(yield* rejection(clip([2, 2]), { video }), /none of the 40 frames/)
      // Ten frames a second by its own delays: 0.2 s are two frames, of which the second repeats.
      const animated = record([...turns], { video: "anim.gif", clip: [0, 0.2] })
      const sample = yield* make(animated, { video: { ...video, framesPerSecond: 1000 } })
      const bytes = 28 * 28 * 3
      const tiles = Array.from({ length: sample.tiles.count }, (_, i) =>
        sample.tiles.data.subarray(i * bytes, (i + 1) * bytes)
      )
      assert.strictEqual(new Set(tiles.map((tile) => tile.join())).size, 2)
    })
  )

  it.effect("rejects a mark without a line break, and augments frames", () =>
    Effect.gen(function* () {
      const made = record([human("<video>What?"), gpt("!")], { video: folder })
      assert.match(yield* rejection(made), /<video> must be followed by a line break/)
      const augmented = yield* make(record([...turns], { video: folder }), {}, { dataAugment: true })
      const plain = yield* make(record([...turns], { video: folder }))
      assert.strictEqual(augmented.tiles.count, plain.tiles.count)
      assert.notDeepEqual(augmented.tiles.data, plain.tiles.data)
    })
  )
})

describe("collate", () => {
  it.effect("pads to the longest and joins tiles", () =>
    Effect.gen(function* () {
      const one = yield* make(record([human("Hi!"), gpt("Hello!!")], { image: "rgb8.png" }))
      const two = yield* make(record([human("Short"), gpt("a")]), quirks({ textOnlyTile: true }))
      const batch = collate([two, one], { statistics: imagenetStatistics })
      assert.deepEqual([batch.size, batch.length], [2, one.inputIds.length])
      const row = (array: Int32Array | Uint8Array, i: number) => [
        ...array.subarray(i * batch.length, (i + 1) * batch.length)
      ]
      const padding = batch.length - two.inputIds.length
      const filled = (value: number) => new Array<number>(padding).fill(value)
      assert.isAbove(padding, 0)
      assert.deepEqual(row(batch.inputIds, 0), [...two.inputIds, ...filled(0)])
      assert.deepEqual(row(batch.labels, 0), [...two.labels, ...filled(ignoredLabel)])
      assert.deepEqual(row(batch.positionIds, 0), [...two.positionIds, ...filled(0)])
      assert.deepEqual(row(batch.attentionMask, 0), [...two.inputIds.map(() => 1), ...filled(0)])
      assert.deepEqual(row(batch.inputIds, 1), [...one.inputIds])
      assert.deepEqual([...batch.imageFlags], [0, ...one.imageFlags])
      assert.strictEqual(batch.pixelValues.length, (1 + one.tiles.count) * 3 * 28 * 28)
      assert.strictEqual(batch.pixelValues[0], Math.fround((1 - Math.fround(0.485)) / Math.fround(0.229)))
    })
  )

  it.effect("hides token 0 only where the reference's mask is asked for", () =>
    Effect.gen(function* () {
      const sample = yield* make(record([human("Hi!"), gpt("Hello !")]))
      const marks = sample.inputIds.filter((id) => id === 0).length
      assert.strictEqual(marks, 1)
      const sum = (mask: Uint8Array) => mask.reduce((total, value) => total + value, 0)
      const length = sample.inputIds.length
      const statistics = imagenetStatistics
      assert.strictEqual(sum(collate([sample], { statistics }).attentionMask), length)
      const hidden = collate([sample], { statistics, maskTokenZero: true })
      assert.strictEqual(sum(hidden.attentionMask), length - marks)
      assert.throws(() => collate([], { statistics }), RangeError)
    })
  )
})

describe("sampleOutline", () => {
  const outline = (made: ConversationRecord, root: string = origin.root, maxLength = 8192) =>
    sampleOutline(made, { ...origin, root }, { ...settings, maxLength }, randomSource(1))
  const turns = [human("What?"), gpt("This and that.")] as const

  it.effect("is the sample but for its pixels, whatever it shows", () =>
    Effect.gen(function* () {
      const shown = [{}, { image: "c420.jpg" }, { image: ["rgb8.png", "c420.jpg"] }, { video: "anim.gif" }]
      for (const [pictures, each] of shown.entries()) {
        const made = record([human(pictures === 2 ? "<image><image>?" : "What?"), gpt("This and that.")], each)
        const { tiles, shown: _, ...rest } = yield* outline(made)
        const whole = yield* make(made)
        assert.deepEqual({ ...rest, tiles: yield* tiles }, { ...whole })
        assert.strictEqual(rest.imageFlags.length, whole.tiles.count)
      }
    })
  )

  it.effect("decodes nothing: a picture that is cut off is found with its pixels alone", () =>
    Effect.gen(function* () {
      const root = temporaryDirectory()
      copyFileSync(join(origin.root, "c420.jpg"), join(root, "cut.jpg"))
      truncateSync(join(root, "cut.jpg"), 700)
      const { tiles } = yield* outline(record([...turns], { image: "cut.jpg" }), root)
      const error = yield* Effect.flip(tiles)
      assert.instanceOf(error, SampleRejected)
      assert.strictEqual(error.fault, "unreadable file")
      assert.match(error.message, /^set\.jsonl:12: sample rejected: .*cut\.jpg/)
    })
  )

  it.effect("says what kind of fault a record has, and what was cut off", () =>
    Effect.gen(function* () {
      const faultOf = (made: ConversationRecord, maxLength?: number) =>
        Effect.map(Effect.flip(outline(made, origin.root, maxLength)), (error) => {
          assert.instanceOf(error, SampleRejected)
          return error.fault
        })
      const image = "c420.jpg"
      assert.strictEqual(yield* faultOf(record([...turns], { image: "none.png" })), "missing file")
      assert.strictEqual(yield* faultOf(record([...turns], { image: "https://a.b/c.png" })), "missing file")
      assert.strictEqual(yield* faultOf(record([...turns], { video: "../images.json" })), "unreadable file")
      assert.strictEqual(yield* faultOf(record([human("<image>"), gpt("a")])), "placeholders")
      assert.strictEqual(yield* faultOf(record([human("a<|im_end|>"), gpt("a")])), "control token")
      assert.strictEqual(yield* faultOf(record([...turns], { image, videos: "a.gif" })), "what it shows")
      assert.strictEqual(yield* faultOf(record([human("a"), system("b")])), "turns")
      assert.strictEqual(yield* faultOf(record([...turns], { image }), 60), "length")
      const { inputIds, cutOff } = yield* outline(record([...turns]), origin.root, 30)
      const whole = yield* outline(record([...turns]))
      assert.deepEqual([...inputIds, ...cutOff], [...whole.inputIds])
      assert.strictEqual(inputIds.length, 30)
    })
  )
})

describe("length estimates", () => {
  it.effect("count text and visual tokens without decoding", () =>
    Effect.gen(function* () {
      const estimate = (made: ConversationRecord) => estimateRecordLength(made, origin, settings)
      const turns = [human("How many?"), gpt("Three.")] as const
      const text = qwen.encode("How many?\nThree.").length
      const sample = yield* make(record([...turns], { image: "c420.jpg" }))
      assert.strictEqual(yield* estimate(record([...turns])), text)
      assert.strictEqual(yield* estimate(record([...turns], { image: "c420.jpg" })), text + 4 * sample.tiles.count)
      assert.strictEqual(
        yield* estimate(record([...turns], { image: ["rgb8.png", "rgb8.png", "rgb8.png"] })),
        text + 12
      )
      assert.strictEqual(yield* estimate(record([...turns], { video: "anim.gif" })), text + 4 * 5)
      assert.strictEqual(yield* estimate(record([...turns], { length: 77 })), 77)
      assert.strictEqual(yield* estimate(record([...turns], { length: 99999 })), 8192)
      const error = yield* Effect.flip(estimate(record([...turns], { image: "none.png" })))
      assert.match(error.message, /set\.jsonl:12: .*none\.png/)
    })
  )

  it("follow the reference's cache when asked", () => {
    const estimate = referenceLengthEstimator({ tokenizer: qwen, tokensPerTile: 256, maxTiles: 6, thumbnail: true })
    const made = (value: string, more: Partial<ConversationRecord> = {}) => record([human(value)], more)
    const first = qwen.encode("same size").length
    assert.strictEqual(estimate(made("same size")), first)
    assert.strictEqual(estimate(made("9 letters")), first + 1792)
    assert.strictEqual(estimate(made("same size", { length: 5 })), 5)
    // Characters, not UTF-16 units.
    assert.strictEqual(estimate(made("\u{1F9A9}".repeat(9))), first + 1792)
  })
})
