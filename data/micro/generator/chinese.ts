/** The Chinese phrases: spaces separate words here and are dropped when written. */
import type { Phrasebook } from "./Phrasebook.ts"

const attributes = { color: "颜色", shape: "形状" }
const sides = { left: "左侧", right: "右侧" }
const colors = { red: "红色", green: "绿色", blue: "蓝色", yellow: "黄色", purple: "紫色", orange: "橙色" }
const shapes = {
  ...{ circle: "圆形", square: "方形", triangle: "三角形", star: "星形", cross: "十字形", ring: "环形" },
  ...{ diamond: "菱形", bar: "长条" }
}

export const chinese: Phrasebook = {
  language: "zh",
  write: (words) => words.replaceAll(" ", ""),
  places: ["左上", "上方", "右上", "左边", "中间", "右边", "左下", "下方", "右下"],
  tiles: ["第一块", "第二块"],
  colors,
  shapes,
  yes: "是",
  no: "否",
  colored: (color) => `大的 ${colors[color]} 图形`,
  shaped: (shape) => `大的 ${shapes[shape]}`,
  askAttribute: (attribute, place) => `${place} 的 图形 是 什么 ${attributes[attribute]} ？`,
  askSide: (side, place) => `${place} 的 ${sides[side]} 是 什么 ？`,
  askText: (place) => `${place} 写着 什么 ？`,
  askDots: (place) => `${place} 有 几个 点 ？`,
  askPlace: (thing) => `${thing} 在 哪里 ？`,
  countColor: (color) => `有 几个 大的 ${colors[color]} 图形 ？`,
  countShape: (shape) => `有 几个 大的 ${shapes[shape]} ？`,
  askExists: (thing) => `图中 有 ${thing} 吗 ？`,
  verifyColor: (place, color) => `${place} 的 图形 是 ${colors[color]} 吗 ？`,
  verifyShape: (place, shape) => `${place} 的 图形 是 ${shapes[shape]} 吗 ？`,
  explain: "请 说明 。",
  explained: (evidence, answer) => `${evidence} ： ${answer}`,
  foundAt: (name, found) => [name, ...(found.length === 0 ? ["没有"] : found)].join(" "),
  askSorted: (attribute) => `请 按 ${attributes[attribute]} 列出 大的 图形 。`,
  askCaption: "请 描述 图片 。",
  caption: (parts) => `${parts.join(" ， ")} 。`,
  captionPart: (place, thing) => `${place} ${thing}`,
  figure: (color, shape) => `${colors[color]} ${shapes[shape]}`,
  pair: (left, right) => `${left} ${right}`,
  dots: (count, color) => `${count} 个 ${colors[color]} 点`
}
