/** What went wrong, in plain words; what the error itself says stands behind them as details. */
import type { Computer, Told } from "../engine/messages.ts"
import type { Language } from "./words.ts"

type Kind =
  | "wrongFile"
  | "network"
  | "cut"
  | "damaged"
  | "full"
  | "notKept"
  | "memory"
  | "picture"
  | "largePicture"
  | "camera"
  | "long"
  | "oldBrowser"
  | "addresses"
  | "notStarted"
  | "computing"
  | "graphics"
  | "unknown"

const kinds: { readonly [tag: string]: Kind | undefined } = {
  NotAModel: "wrongFile",
  ModelConfigInvalid: "wrongFile",
  SafetensorsInvalid: "wrongFile",
  ModelIncomplete: "wrongFile",
  TokenizerMissing: "wrongFile",
  TokenizerInvalid: "wrongFile",
  SpecialTokenMissing: "wrongFile",
  VocabularyMismatch: "wrongFile",
  PackedInvalid: "wrongFile",
  QuantizerMissing: "wrongFile",
  QuantizerVersionDiffers: "wrongFile",
  WeightsMismatch: "wrongFile",
  WeightShapeMismatch: "wrongFile",
  WeightsQuantized: "wrongFile",
  FileFailed: "wrongFile",
  DownloadFailed: "network",
  DownloadCut: "cut",
  PartDamaged: "damaged",
  StorageFull: "full",
  StorageUnavailable: "notKept",
  OutOfMemory: "memory",
  RangeError: "memory",
  PictureUnreadable: "picture",
  PictureTooLarge: "largePicture",
  CameraUnavailable: "camera",
  PromptTooLong: "long",
  GraphicsUnavailable: "graphics",
  DeviceLost: "graphics"
}

const texts: { readonly [L in Language]: { readonly [K in Kind]: string } } = {
  en: {
    wrongFile: "These files are not a model that this page can open. Choose the whole folder of a packed model.",
    network: "The model could not be loaded: the server or the network does not answer. Try again.",
    cut: "The download ended too early. Load it again: it goes on where it stopped.",
    damaged:
      "A file of the model is damaged, or the model was replaced while it was loaded. Load it again; if that does not help, copy it again from where it was made.",
    full: "There is no room to keep the model on this device. Free some space, or use it without keeping it.",
    notKept:
      "This browser keeps nothing for the page; private windows do not. The model can be used without keeping it.",
    memory: "This device has too little memory for that. Close other pages, or take a smaller model or fewer pictures.",
    picture: "This picture cannot be read. Take a PNG, a JPEG or a WebP.",
    largePicture: "This picture has too many pixels. Scale it down first.",
    camera: "The camera cannot be used: there is none, or the page may not use it.",
    long: "The question, its pictures and the conversation before them are longer than the model can read. Ask a shorter one, take fewer pictures, or begin a new conversation.",
    oldBrowser: "This browser is too old to run the model: it has no WebAssembly SIMD.",
    addresses: "This browser gives the page no memory to run the model in. Close other pages, or take another browser.",
    notStarted: "What runs the model did not start. Load this page again.",
    computing:
      "The model failed while it was computed. Load this page again; if that does not help, take another browser.",
    graphics: "The graphics processor does not run the model, or was taken away. Load it to compute on the processor.",
    unknown: "Something went wrong that should not."
  },
  zh: {
    wrongFile: "这些文件不是本页能打开的模型。请选择打包模型的整个文件夹。",
    network: "模型无法加载：服务器或网络没有响应。请重试。",
    cut: "下载提前中断。请再次加载，会从中断处继续。",
    damaged: "模型的一个文件已损坏，或者模型在加载时被替换。请重新加载；如果仍然不行，请从原处重新复制。",
    full: "本机没有空间保存模型。请腾出空间，或者不保存直接使用。",
    notKept: "此浏览器不为本页保存文件（例如隐私窗口）。可以不保存直接使用模型。",
    memory: "本机内存不足。请关闭其他页面，或使用更小的模型、更少的图片。",
    picture: "无法读取这张图片。请使用 PNG、JPEG 或 WebP。",
    largePicture: "这张图片的像素太多。请先缩小。",
    camera: "无法使用相机：没有相机，或者本页没有使用权限。",
    long: "问题、图片和之前的对话加在一起超过了模型能阅读的长度。请缩短问题、减少图片，或者开始新的对话。",
    oldBrowser: "此浏览器太旧，无法运行模型：没有 WebAssembly SIMD。",
    addresses: "此浏览器没有给本页运行模型所需的内存。请关闭其他页面，或换用其他浏览器。",
    notStarted: "运行模型的程序没有启动。请重新加载本页。",
    computing: "模型在计算时出错。请重新加载本页；如果仍然不行，请换用其他浏览器。",
    graphics: "图形处理器无法运行模型，或者已不可用。请选择用处理器计算，再加载模型。",
    unknown: "出现了不该出现的错误。"
  }
}

/** Why the processor was not started: the error has words for it and no name. */
const unavailable = (message: string): Kind => {
  if (message.includes("WebAssembly SIMD")) return "oldBrowser"
  return message.includes("addresses of a WebAssembly memory") ? "addresses" : "notStarted"
}

const kindOf = ({ tag, message }: Told, on: Computer): Kind => {
  if (tag === "KernelFailure") return on === "graphics" ? "graphics" : "computing"
  if (tag === "BackendUnavailable") return on === "graphics" ? "graphics" : unavailable(message)
  return kinds[tag] ?? "unknown"
}

/** The words for an error that came while the model computed, or was to compute, `on` a processor. */
export const plainWords = (error: Told, on: Computer, language: Language): string => texts[language][kindOf(error, on)]

/** Whether the same would work if nothing were kept. */
export const worksWithoutKeeping = ({ tag }: Told): boolean => tag === "StorageFull" || tag === "StorageUnavailable"
