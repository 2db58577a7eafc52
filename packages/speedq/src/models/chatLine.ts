/** What a line of a conversation means. */
import { homedir } from "node:os"
import { join } from "node:path"

type ChatLine =
  | { readonly kind: "nothing" | "reset" | "help" | "exit" }
  | { readonly kind: "question"; readonly text: string }
  | { readonly kind: "image"; readonly file: string }
  | { readonly kind: "unknown"; readonly reason: string }

export const chatCommands =
  "/image FILE adds a picture to the next question, /reset forgets the conversation, /exit ends it, /help says this"

/** A path as a terminal writes it when a file is dropped on it: in quotes, or with characters escaped. */
const pathOf = (text: string): string => {
  const quoted = /^(['"])(.*)\1$/.exec(text)
  if (quoted !== null) return quoted[2]!.replaceAll("'\\''", "'")
  const path = process.platform === "win32" ? text : text.replace(/\\(.)/g, "$1")
  return path.startsWith("~/") ? join(homedir(), path.slice(2)) : path
}

/** A command begins with a stroke and a letter; two strokes begin a question with one. */
export const readChatLine = (line: string): ChatLine => {
  const text = line.trim()
  if (text === "") return { kind: "nothing" }
  if (text.startsWith("//")) return { kind: "question", text: text.slice(1) }
  const [, command, rest = ""] = /^\/([a-z]+)\s*(.*)$/i.exec(text) ?? []
  switch (command) {
    case undefined:
      return { kind: "question", text }
    case "image":
      return rest === ""
        ? { kind: "unknown", reason: "/image needs a file, as in /image cat.jpg" }
        : { kind: "image", file: pathOf(rest) }
    case "reset":
    case "help":
    case "exit":
      return { kind: command }
    default:
      return { kind: "unknown", reason: `/${command} is no command; a question that begins with / is written with two` }
  }
}
