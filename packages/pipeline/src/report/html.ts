/** HTML as text that is safe by construction: values are escaped unless they are HTML already. */

/** A piece of HTML. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Value = Html | string | number | ReadonlyArray<Html>

const escaped: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const render = (value: Value): string => {
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map((piece) => piece.text).join("")
  return String(value).replaceAll(/[&<>"']/g, (character) => escaped[character] ?? character)
}

/** Template of HTML: html`<p>${anything}</p>`. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html =>
  new Html(parts.map((part, index) => part + (index < values.length ? render(values[index] ?? "") : "")).join(""))

/** Nothing. */
export const empty = new Html("")

/** A class attribute with the names that hold; nothing where none does. */
export const classes = (...names: ReadonlyArray<string | false | undefined>): Html => {
  const held = names.filter((name) => name !== false && name !== undefined && name !== "")
  return held.length === 0 ? empty : html` class="${held.join(" ")}"`
}

/** What a reader opens first, where a section is folded. */
export const folded = (section: { readonly title: string; readonly folded?: boolean }, content: Html): Html =>
  section.folded ? html`<details><summary>${section.title}</summary>${content}</details>` : content
