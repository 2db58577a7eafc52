/** Answers a nano question from its text and the scene alone, by a path of its own: patterns of the text, loops over the grid. */
import type { Cell, Scene } from "../../data/nano/generator/index.ts"

/** Chinese words to English ones, longest first, so that one set of patterns reads both languages. */
const dictionary: ReadonlyArray<readonly [string, string]> = Object.entries({
  ...{
    左上: "northwest",
    上方: "north",
    右上: "northeast",
    左边: "west",
    中间: "center",
    右边: "east",
    左下: "southwest",
    下方: "south"
  },
  ...{ 右下: "southeast", 红色: "red", 绿色: "green", 蓝色: "blue", 黄色: "yellow", 紫色: "purple", 橙色: "orange" },
  ...{
    圆形: "circle",
    方形: "square",
    三角形: "triangle",
    星形: "star",
    十字形: "cross",
    环形: "ring"
  }
}).sort(([a], [b]) => b.length - a.length)

const toEnglish = (text: string): string => {
  let rest = text
  let found = ""
  while (rest !== "") {
    const entry = dictionary.find(([word]) => rest.startsWith(word))
    found += entry === undefined ? rest[0]! : `<${entry[1]}>`
    rest = rest.slice(entry === undefined ? 1 : entry[0].length)
  }
  return found
}
const toChinese = (word: string): string => dictionary.find(([, english]) => english === word)![0]

const grid = ["northwest", "north", "northeast", "west", "center", "east", "southwest", "south", "southeast"]
type Figure = Extract<Cell, { kind: "figure" }>

export const answerOf = (text: string, options: ReadonlyArray<string>, scene: Scene): string => {
  if (options.length === 0) return freeAnswer(text, scene)
  const matching = options.flatMap((option, i) => (option === freeAnswer(text, scene) ? ["ABCD"[i]!] : []))
  return matching.join(" or ")
}

const freeAnswer = (text: string, scene: Scene): string => {
  const chinese = /[\u4e00-\u9fff]/.test(text.replace(/(?<=the )[山口日木人王]/, ""))
  const say = (word: string): string => (chinese ? toChinese(word) : word)
  const truth = (value: boolean): string => (chinese ? (value ? "是" : "否") : value ? "Yes" : "No")
  const read = chinese ? toEnglish(text) : text

  const at = (place: string): Figure => {
    const cell = scene.cells[grid.indexOf(place)]
    if (cell?.kind !== "figure") throw new Error(`${text}: no figure in the ${place}`)
    return cell
  }
  const places = (test: (cell: Cell) => boolean): ReadonlyArray<number> =>
    scene.cells.flatMap((cell, i) => (test(cell) ? [i] : []))
  const only = (found: ReadonlyArray<number>): number => {
    if (found.length !== 1) throw new Error(`${text}: ${found.length} things are meant`)
    return found[0]!
  }
  const figures = (word: string): ReadonlyArray<number> =>
    places((cell) => cell?.kind === "figure" && (cell.color === word || cell.shape === word))
  const match = (...patterns: ReadonlyArray<RegExp>): ReadonlyArray<string> | undefined =>
    patterns.map((pattern) => pattern.exec(read)?.slice(1)).find((groups) => groups !== undefined)

  let found = match(/^What (color|shape) is the (\w+) object\?$/)
  if (found) return at(found[1]!)[found[0] as "color" | "shape"]
  found = match(/^<(\w+)>的图形是什么颜色？$/)
  if (found) return say(at(found[0]!).color)
  found = match(/^<(\w+)>的图形是什么形状？$/)
  if (found) return say(at(found[0]!).shape)

  // A thing is a sign, or a figure that its colour or its shape alone names.
  const thing = (word: string): number => {
    const signs = places((cell) => cell?.kind === "sign" && cell.glyph === word)
    return only(signs.length > 0 ? signs : figures(word))
  }
  found = match(/^Where is the (\w+|[山口日木人王])(?: object)?\?$/, /^<?([^<>]+?)>?(?:图形)?在哪里？$/)
  if (found) return say(grid[thing(found[0]!)]!)
  found = match(/^How many (\w+) objects are there\?$/, /^有几个<(\w+)>(?:图形)?？$/)
  if (found) return String(figures(found[0]!).length)
  found = match(/^How many (\w+?)(?:(?<=cross)es|s) are there\?$/)
  if (found) return String(figures(found[0]!).length)
  found = match(/^Is there an? (\w+?)(?: object)?\?$/, /^图中有<(\w+)>(?:图形)?吗？$/)
  if (found) return truth(figures(found[0]!).length > 0)
  found = match(/^Is the (\w+) object (?:a )?(\w+)\?$/, /^<(\w+)>的图形是<(\w+)>吗？$/)
  if (found) return truth(figures(found[1]!).includes(grid.indexOf(found[0]!)))
  found = match(
    /^Do the (\w+) and (\w+) objects have the same (color|shape)\?$/,
    /^<(\w+)>和<(\w+)>的图形(颜色|形状)相同吗？$/
  )
  if (found) {
    const attribute = found[2] === "color" || found[2] === "颜色" ? "color" : "shape"
    return truth(at(found[0]!)[attribute] === at(found[1]!)[attribute])
  }
  found = match(/^Is the (\w+)(?: object)? (left of|right of|above|below) the (\w+?)(?: object)?\?$/)
  const reversed = match(/^<(\w+)>(?:图形)?在<(\w+)>(?:图形)?的(左侧|右侧|上面|下面)吗？$/)
  if (reversed) found = [reversed[0]!, reversed[2]!, reversed[1]!]
  if (found) {
    const [a, b] = [thing(found[0]!), thing(found[2]!)]
    const [row, column] = [Math.floor(a / 3) - Math.floor(b / 3), (a % 3) - (b % 3)]
    const holds: Readonly<Record<string, boolean>> = {
      ...{ "left of": column < 0, "right of": column > 0, above: row < 0, below: row > 0 },
      ...{ 左侧: column < 0, 右侧: column > 0, 上面: row < 0, 下面: row > 0 }
    }
    return truth(holds[found[1]!]!)
  }
  found = match(/^What is written in the (\w+)\?$/, /^<(\w+)>写着什么？$/)
  const sign = (i: number): string => {
    const cell = scene.cells[i]
    return cell?.kind === "sign" ? cell.glyph : "nothing written"
  }
  if (found) return sign(grid.indexOf(found[0]!))
  found = match(/^What (?:word|number) is in the (top|middle|bottom) row\?$/, /^第(一|二|三)行写着什么(?:单词|数字)？$/)
  if (found) {
    const row = "top middle bottom".split(" ").indexOf(found[0]!) + "一二三".indexOf(found[0]!) + 1
    return [0, 1, 2].map((column) => sign(3 * row + column)).join("")
  }
  found = match(/^List the objects by (color|shape)\.$/, /^请按(颜色|形状)列出图形。$/)
  if (found) {
    const byColor = found[0] === "color" || found[0] === "颜色"
    const order = byColor ? "red green blue yellow purple orange" : "circle square triangle star cross ring"
    const groups = order.split(" ").flatMap((word) => {
      const words = [word, ...figures(word).map((i) => grid[i]!)]
      return words.length === 1 ? [] : [chinese ? words.map(toChinese).join("") : words.join(" ")]
    })
    return chinese ? `${groups.join("，")}。` : `${groups.join(", ")}.`
  }
  if (text !== "Describe the image." && text !== "请描述图片。") throw new Error(`unknown question: ${text}`)
  const parts: Array<string> = []
  for (let i = 0; i < 9; i++) {
    const cell = scene.cells[i]
    if (cell === undefined) continue
    const things = cell.kind === "sign" ? [cell.glyph] : [cell.color, cell.shape]
    if (chinese) parts.push(say(grid[i]!) + things.map((thing) => (cell.kind === "sign" ? thing : say(thing))).join(""))
    else parts.push([grid[i]!, ...things].join(" "))
  }
  return chinese ? `${parts.join("，")}。` : `${parts.join(", ")}.`
}
