/** Paths of the files that a page was given. */

/** Parts with a slash between them. */
export const join = (...parts: readonly string[]): string =>
  parts
    .filter((part) => part !== "")
    .join("/")
    .replace(/\/+/g, "/")

export const dirname = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))
