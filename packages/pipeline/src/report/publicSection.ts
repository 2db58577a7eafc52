/** What a report says, without absolute paths: it is shown to others. */
import { publicText } from "@speedq/formats"
import type { Section } from "./Report.ts"

/** A section for others. What models read and answer stays as it is. */
export const publicSection = (section: Section): Section => {
  if (section._tag === "Text") {
    return { ...section, title: publicText(section.title), paragraphs: section.paragraphs.map(publicText) }
  }
  if (section._tag !== "Table") return section
  const rows = section.rows.map((row) => row.map((cell) => (typeof cell === "string" ? publicText(cell) : cell)))
  return { ...section, title: publicText(section.title), rows }
}
