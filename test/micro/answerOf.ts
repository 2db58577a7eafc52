/** Answers a micro question from its text and the scene alone, by a path of its own: patterns of the text, loops over the grid. */
import type { Cell, Scene } from "../../data/micro/generator/index.ts"

/** Chinese words to English ones, longest first, so that one set of patterns reads both languages. */
const dictionary: ReadonlyArray<readonly [string, string]> = Object.entries({
  ...{ 第一块: "first", 第二块: "second", 左侧: "left", 右侧: "right" },
  ...{ 左上: "northwest", 上方: "north", 右上: "northeast", 左边: "west", 中间: "center", 右边: "east" },
  ...{ 左下: "southwest", 下方: "south", 右下: "southeast" },
  ...{ 红色: "red", 绿色: "green", 蓝色: "blue", 黄色: "yellow", 紫色: "purple", 橙色: "orange" },
  ...{ 圆形: "circle", 方形: "square", 三角形: "triangle", 星形: "star", 十字形: "cross", 环形: "ring" },
  ...{ 菱形: "diamond", 长条: "bar" }
}).sort(([a], [b]) => b.length - a.length)

const toEnglish = (text: string): string => {
  let rest = text
  let found = ""
  while (rest !== "") {
    const entry = dictionary.find(([word]) => rest.startsWith(word))
    found += entry === undefined ? rest[0]! : ` ${entry[1]} `
    rest = rest.slice(entry === undefined ? 1 : entry[0].length)
  }
  return found.replaceAll(/ +/g, " ").trim()
}
const toChinese = (words: string): string =>
  words
    .split(" ")
    .map((word) => dictionary.find(([, english]) => english === word)![0])
    .join("")

const grid = ["northwest", "north", "northeast", "west", "center", "east", "southwest", "south", "southeast"]
const allColors = ["red", "green", "blue", "yellow", "purple", "orange"]

export const answerOf = (text: string, options: ReadonlyArray<string>, scene: Scene): string => {
  const free = freeAnswer(text, scene)
  if (options.length === 0) return free
  return options.flatMap((option, i) => (option === free ? ["ABCD"[i]!] : [])).join(" or ")
}

const freeAnswer = (text: string, scene: Scene): string => {
  const chinese = /[\u4e00-\u9fff]/.test(text)
  const say = (words: string): string => (chinese ? toChinese(words) : words)
  const truth = (value: boolean): string => (chinese ? (value ? "是" : "否") : value ? "Yes" : "No")
  const read = chinese ? toEnglish(text) : text

  const nameOf = (index: number): string => {
    const tile = scene.layout === "single" ? "" : index < 9 ? "first " : "second "
    return tile + grid[index % 9]!
  }
  const at = (place: string): Exclude<Cell, undefined> => {
    const cell = scene.cells.find((_, i) => nameOf(i) === place)
    if (cell === undefined) throw new Error(`${text}: nothing in the ${place}`)
    return cell
  }
  const big = (place: string) => {
    const cell = at(place)
    if (cell.kind !== "big") throw new Error(`${text}: no big figure in the ${place}`)
    return cell
  }
  const matching = (word: string): ReadonlyArray<number> =>
    scene.cells.flatMap((cell, i) => (cell?.kind === "big" && (cell.color === word || cell.shape === word) ? [i] : []))
  /** The colour or the shape that a question is about. */
  const asked = (words: string): string => {
    const known = [...allColors, ...["circle", "square", "triangle", "star", "cross", "ring", "diamond", "bar"]]
    const found = known.filter((word) => new RegExp(`\\b${word}(e?s)?\\b`).test(words))
    if (found.length !== 1) throw new Error(`${text}: ${found.length} attributes`)
    return found[0]!
  }
  const match = (english: RegExp, other: RegExp): RegExpMatchArray | null => read.match(chinese ? other : english)

  const attribute = match(/^What (color|shape) is the (.+) object\?$/, /^(.+) 的图形是什么(颜色|形状)？$/)
  if (attribute !== null) {
    const [what, place] = chinese ? [attribute[2]!, attribute[1]!] : [attribute[1]!, attribute[2]!]
    return say(big(place)[what === "color" || what === "颜色" ? "color" : "shape"])
  }
  const side = match(/^What is on the (left|right) in the (.+)\?$/, /^(.+) 的 (left|right) 是什么？$/)
  if (side !== null) {
    const [half, place] = chinese ? [side[2]!, side[1]!] : [side[1]!, side[2]!]
    const cell = at(place)
    if (cell.kind !== "pair") throw new Error(`${text}: no pair`)
    const { color, shape } = cell[half as "left" | "right"]
    return chinese ? say(color) + say(shape) : `${color} ${shape}`
  }
  const written = match(/^What is written in the (.+)\?$/, /^(.+) 写着什么？$/)
  if (written !== null) {
    const cell = at(written[1]!)
    if (cell.kind !== "letters" && cell.kind !== "digits") throw new Error(`${text}: no text`)
    return cell.text
  }
  const dots = match(/^How many dots are in the (.+)\?$/, /^(.+) 有几个点？$/)
  if (dots !== null) {
    const cell = at(dots[1]!)
    if (cell.kind !== "dots") throw new Error(`${text}: no dots`)
    return String(cell.count)
  }
  const where = match(/^Where is the big (.+)\?$/, /^大的 (.+)在哪里？$/)
  if (where !== null) {
    const found = matching(asked(where[1]!))
    if (found.length !== 1) throw new Error(`${text}: ${found.length} places`)
    return say(nameOf(found[0]!))
  }
  const howMany = match(/^How many big (.+) are there\?$/, /^有几个大的 (.+)？$/)
  if (howMany !== null) return String(matching(asked(howMany[1]!)).length)
  const there = match(/^Is there a big (.+)\?$/, /^图中有大的 (.+)吗？$/)
  if (there !== null) return truth(matching(asked(there[1]!)).length > 0)
  const isIt = match(/^Is the (.+) object (?:a )?(\w+)\?$/, /^(.+) 的图形是 (\w+) 吗？$/)
  if (isIt !== null) {
    const cell = big(isIt[1]!)
    return truth(cell.color === isIt[2] || cell.shape === isIt[2])
  }
  if (/^(List the big objects by|请按)/.test(read)) {
    const key = /color|颜色/.test(read) ? "color" : "shape"
    const order =
      key === "color" ? allColors : ["circle", "square", "triangle", "star", "cross", "ring", "diamond", "bar"]
    const lists = order.flatMap((word) => {
      const found = matching(word)
      return found.length === 0 ? [] : [[word, ...found.map(nameOf)].map(say).join(chinese ? "" : " ")]
    })
    if (!lists.every((list) => list !== "") || !["color", "shape"].includes(key)) throw new Error(text)
    return chinese ? `${lists.join("，")}。` : `${lists.join(", ")}.`
  }
  if (/^(Describe the image\.|请描述图片。)$/.test(read)) {
    const parts = scene.cells.flatMap((cell, i) => {
      if (cell === undefined) return []
      const join = (...words: ReadonlyArray<string>): string => words.map(say).join(chinese ? "" : " ")
      const figure = ({ color, shape }: { color: string; shape: string }): string => join(color, shape)
      const glue = chinese ? "" : " "
      if (cell.kind === "big") return [say(nameOf(i)) + glue + figure(cell)]
      if (cell.kind === "pair") return [say(nameOf(i)) + glue + figure(cell.left) + glue + figure(cell.right)]
      if (cell.kind === "dots") {
        const color = say(cell.color)
        return [
          say(nameOf(i)) +
            (chinese ? `${cell.count}个${color}点` : ` ${cell.count} ${color} dot${cell.count === 1 ? "" : "s"}`)
        ]
      }
      return [say(nameOf(i)) + glue + cell.text]
    })
    return chinese ? `${parts.join("，")}。` : `${parts.join(", ")}.`
  }
  throw new Error(`cannot read: ${text}`)
}
