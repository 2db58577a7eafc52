/** The first three of what may be many names, for messages. */
export const firstNames = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}`
