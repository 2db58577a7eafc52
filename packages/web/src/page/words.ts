/** All that the page says, in the languages that it speaks. */

const english = {
  startTitle: "Ask about pictures, on this device",
  startText:
    "The model runs here, in this browser. Once it is loaded, no network is needed, and no picture or question leaves the device.",
  load: (name: string, size: string) => `Load ${name} (${size})`,
  goOn: (name: string, size: string) => `Go on loading ${name} (${size} left)`,
  dropModel:
    "Or open a model of your own: drop its folder here, or choose it. It is what speedq export --format packed writes.",
  chooseFolder: "Choose a folder",
  chooseFiles: "Choose files",
  keep: "Keep the model on this device",
  reading: (file: string, percent: number) => `Loading ${file}: ${percent} %`,
  opening: "Opening the model",
  cancelOpening: "Cancel loading",
  canceling: "Canceling",
  chatTitle: "Conversation",
  question: "Your question",
  pictures: "Pictures of the next question",
  addPicture: "Add pictures",
  camera: "Camera",
  cameraView: "What the camera sees",
  take: "Take picture",
  cancel: "Cancel",
  send: "Ask",
  stop: "Stop",
  longest: "Longest answer, in tokens",
  faster: "Faster, a little less exact",
  temperature: "Temperature; 0 takes the likeliest words",
  topP: "Share of the likeliest words (top-p)",
  seed: "Seed",
  stopping: "Stopping",
  notAsked: "There is no answer yet; the question is back in its field.",
  noPictures: (names: string) =>
    `${names}: no picture. A conversation takes pictures; remove the model to open another.`,
  reset: "New conversation",
  forget: "Remove the model from this device",
  you: "You",
  model: "Model",
  remove: (name: string) => `Remove ${name}`,
  preparingPicture: "Preparing",
  sees: (tiles: number) => (tiles === 1 ? "What the model sees: 1 tile" : `What the model sees: ${tiles} tiles`),
  tile: (at: number, of: number) => `Tile ${at} of ${of}`,
  tileStep: (at: number, of: number) => `Looking at tile ${at} of ${of}`,
  readStep: (tokens: number) => `Reading ${tokens} tokens`,
  ready: (threads: number, memory: string) =>
    `Ready. ${threads === 1 ? "1 thread" : `${threads} threads`}, ${memory} of weights.`,
  answered: (tokens: number, rate: string | undefined, wait: string, memory: string) =>
    `${tokens === 1 ? "1 token" : `${tokens} tokens`}${rate === undefined ? "" : `, ${rate} tokens per second`} after ${wait} s; ${memory} of memory.`,
  empty: "(no answer)",
  privacy: "Nothing is sent anywhere: the page's own policy forbids it. Answers can be wrong.",
  details: "Details",
  withoutKeeping: "Use it without keeping it",
  otherLanguage: "中文"
}

type Words = typeof english

const chinese: Words = {
  startTitle: "在本机上就图片提问",
  startText: "模型就在这个浏览器里运行。加载之后不再需要网络，图片和问题都不会离开这台设备。",
  load: (name, size) => `加载 ${name}（${size}）`,
  goOn: (name, size) => `继续加载 ${name}（还剩 ${size}）`,
  dropModel: "也可以打开自己的模型：把它的文件夹拖到这里，或者选择它。它由 speedq export --format packed 生成。",
  chooseFolder: "选择文件夹",
  chooseFiles: "选择文件",
  keep: "把模型保存在本机",
  reading: (file, percent) => `正在加载 ${file}：${percent} %`,
  opening: "正在打开模型",
  cancelOpening: "取消加载",
  canceling: "正在取消",
  chatTitle: "对话",
  question: "你的问题",
  pictures: "下一个问题的图片",
  addPicture: "添加图片",
  camera: "相机",
  cameraView: "相机画面",
  take: "拍照",
  cancel: "取消",
  send: "提问",
  stop: "停止",
  longest: "回答的最大长度（词元）",
  faster: "更快，精度略低",
  temperature: "温度；0 表示总取最可能的词",
  topP: "最可能的词所占的份额（top-p）",
  seed: "种子",
  stopping: "正在停止",
  notAsked: "还没有回答；问题已放回输入框。",
  noPictures: (names) => `${names}：不是图片。对话只接受图片；要打开别的模型，请先删除当前模型。`,
  reset: "新对话",
  forget: "从本机删除模型",
  you: "你",
  model: "模型",
  remove: (name) => `移除 ${name}`,
  preparingPicture: "正在处理",
  sees: (tiles) => `模型看到的：${tiles} 个图块`,
  tile: (at, of) => `第 ${at} 个图块，共 ${of} 个`,
  tileStep: (at, of) => `正在看第 ${at} 个图块，共 ${of} 个`,
  readStep: (tokens) => `正在阅读 ${tokens} 个词元`,
  ready: (threads, memory) => `就绪。${threads} 个线程，权重 ${memory}。`,
  answered: (tokens, rate, wait, memory) =>
    `${tokens} 个词元，等待 ${wait} 秒${rate === undefined ? "" : `后每秒 ${rate} 个`}；内存 ${memory}。`,
  empty: "（没有回答）",
  privacy: "不会向任何地方发送内容：页面自身的策略禁止这样做。回答可能有错。",
  details: "详情",
  withoutKeeping: "不保存，直接使用",
  otherLanguage: "English"
}

export type Language = "en" | "zh"
export const words: { readonly [L in Language]: Words } = { en: english, zh: chinese }

/** Words without a number in them. */
export type PlainWord = { [W in keyof Words]: Words[W] extends string ? W : never }[keyof Words]
