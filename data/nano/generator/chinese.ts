/** The Chinese phrases: spaces separate words here and are dropped when written. */
import type { Phrasebook } from "./Phrasebook.ts"

const places = ["左上", "上方", "右上", "左边", "中间", "右边", "左下", "下方", "右下"]
const rows = ["第一行", "第二行", "第三行"]
const directions = { left: "左侧", right: "右侧", above: "上面", below: "下面" }
const attributes = { color: "颜色", shape: "形状" }
const colors = { red: "红色", green: "绿色", blue: "蓝色", yellow: "黄色", purple: "紫色", orange: "橙色" }
const shapes = { circle: "圆形", square: "方形", triangle: "三角形", star: "星形", cross: "十字形", ring: "环形" }

export const chinese: Phrasebook = {
  language: "zh",
  write: (words) => words.replaceAll(" ", ""),
  places,
  colors,
  shapes,
  yes: "是",
  no: "否",
  colored: (color) => `${colors[color]} 图形`,
  shaped: (shape) => shapes[shape],
  askAttribute: (attribute, place) => `${places[place]} 的 图形 是 什么 ${attributes[attribute]} ？`,
  askPlace: (thing) => `${thing} 在 哪里 ？`,
  countColor: (color) => `有 几个 ${colors[color]} 图形 ？`,
  countShape: (shape) => `有 几个 ${shapes[shape]} ？`,
  askExists: (thing) => `图中 有 ${thing} 吗 ？`,
  verifyColor: (place, color) => `${places[place]} 的 图形 是 ${colors[color]} 吗 ？`,
  verifyShape: (place, shape) => `${places[place]} 的 图形 是 ${shapes[shape]} 吗 ？`,
  compare: (attribute, first, second) =>
    `${places[first]} 和 ${places[second]} 的 图形 ${attributes[attribute]} 相同 吗 ？`,
  relation: (first, direction, second) => `${first} 在 ${second} 的 ${directions[direction]} 吗 ？`,
  askSign: (place) => `${places[place]} 写着 什么 ？`,
  askRow: (kind, row) => `${rows[row]} 写着 什么 ${kind === "word" ? "单词" : "数字"} ？`,
  explain: "请 说明 。",
  explained: (evidence, answer) => `${evidence} ： ${answer}`,
  list: (items) => items.join(" ， "),
  foundAt: (name, found) => [name, ...(found.length === 0 ? ["没有"] : found.map((place) => places[place]))].join(" "),
  askSorted: (attribute) => `请 按 ${attributes[attribute]} 列出 图形 。`,
  askCaption: "请 描述 图片 。",
  caption: (parts) => `${parts.join(" ， ")} 。`,
  captionPart: (place, thing) => `${places[place]} ${thing}`,
  figure: (color, shape) => `${colors[color]} ${shapes[shape]}`
}
