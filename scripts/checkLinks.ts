/**
 * Checks that pages and comments point at what is there: relative links and anchors of every *.md file of git's, files that
 * pages name as code, such as `src/index.ts`, and citations in pages and sources: docs/<page>.md, docs/<page>.md, "Heading", or
 * docs/<page>.md#anchor. Exit 1 with a line for each that is not.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"

/** A file, a line in it, and what is wrong there. */
interface Problem {
  readonly file: string
  readonly line: number
  readonly what: string
}

const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
  maxBuffer: 2 ** 26
})
  .split("\0")
  .filter((file) => file !== "" && existsSync(file))

/** The page without what is code: links there are none. Lines keep their numbers. */
const prose = (page: string): string =>
  page
    .replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ""))
    .replace(/^ {4}.*$/gm, "")
    .replace(/`[^`\n]*`/g, (code) => " ".repeat(code.length))

/** Text of a heading as readers see it. */
const headingText = (heading: string): string => heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*_]/g, "")

/** The anchor that GitHub gives a heading. */
const slug = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

interface Page {
  readonly headings: ReadonlySet<string>
  readonly anchors: ReadonlySet<string>
}

const pages = new Map<string, Page>()

const pageOf = (file: string): Page => {
  const known = pages.get(file)
  if (known !== undefined) return known
  const text = readFileSync(file, "utf8").replace(/^```[\s\S]*?^```$/gm, "")
  const headings = [...text.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map((match) => headingText(match[1]!))
  const seen = new Map<string, number>()
  const anchors = headings.map((heading) => {
    const anchor = slug(heading)
    const before = seen.get(anchor) ?? 0
    seen.set(anchor, before + 1)
    return before === 0 ? anchor : `${anchor}-${before}`
  })
  const named = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => match[1]!)
  const page = { headings: new Set(headings), anchors: new Set([...anchors, ...named]) }
  pages.set(file, page)
  return page
}

const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length

const pageProblems = (file: string): readonly Problem[] => {
  const text = prose(readFileSync(file, "utf8"))
  const links = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g), ...text.matchAll(/^\[[^\]]+\]: +(\S+)/gm)]
  return links.flatMap((match) => {
    const target = match[1]!
    if (/^[a-z][a-z+.-]*:/i.test(target)) return []
    const [path = "", anchor] = target.split("#")
    const found = path === "" ? file : normalize(join(dirname(file), decodeURIComponent(path)))
    const problem = (what: string) => [{ file, line: lineOf(text, match.index), what }]
    if (!existsSync(found)) return problem(`there is no ${found}`)
    if (anchor === undefined || !found.endsWith(".md") || pageOf(found).anchors.has(anchor)) return []
    return problem(`${found} has no heading for #${anchor}`)
  })
}

const sourcePath = /`((?:[\w.@-]+\/)+[\w.@-]+\.(?:ts|mts|mjs|js|wgsl|py|md))`/g

/** Source files that a page names, from its own directory or from the root. Other repositories' begin with no directory of ours. */
const namedFileProblems = (file: string): readonly Problem[] => {
  const text = readFileSync(file, "utf8").replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ""))
  return [...text.matchAll(sourcePath)].flatMap(({ 1: path = "", index }) => {
    const from = [dirname(file), "."].filter((base) => existsSync(join(base, path.split("/")[0]!)))
    const isThere = from.length === 0 || from.some((base) => existsSync(join(base, path)))
    // NAME stands for whatever a reader chooses.
    if (isThere || path.includes("NAME")) return []
    return [{ file, line: lineOf(text, index), what: `there is no ${path}` }]
  })
}

/** A citation, and a heading in it, may go on in the next line of a comment. */
const lineBreak = String.raw`(?:\s*\n\s*(?:\*|\/\/|#)?\s*|\s+)`
const joined = (text: string): string => text.replace(new RegExp(lineBreak, "g"), " ")
const quoted = `(?:,?${lineBreak}(?:and${lineBreak})?"[^"]{1,60}")`
const citation = new RegExp(String.raw`(?<![\w/])(docs/[\w-]+\.md)(?:#([\w-]+)|(${quoted}+))?`, "g")

const citationProblems = (file: string): readonly Problem[] => {
  const text = readFileSync(file, "utf8")
  return [...text.matchAll(citation)].flatMap((match) => {
    const [, page = "", anchor, cited = ""] = match
    const line = lineOf(text, match.index)
    if (!existsSync(page)) return [{ file, line, what: `there is no ${page}` }]
    const { anchors, headings } = pageOf(page)
    if (anchor !== undefined && !anchors.has(anchor))
      return [{ file, line, what: `${page} has no heading for #${anchor}` }]
    const named = [...joined(cited).matchAll(/"([^"]+)"/g)].map((name) => name[1]!)
    return named
      .filter((heading) => !headings.has(heading))
      .map((heading) => ({ file, line, what: `${page} has no heading "${heading}"` }))
  })
}

const sources = files.filter((file) => /\.(ts|mts|mjs|js|wgsl|py)$/.test(file))
const markdown = files.filter((file) => file.endsWith(".md"))
const problems = [
  ...markdown.flatMap(pageProblems),
  ...markdown.flatMap(namedFileProblems),
  ...[...markdown, ...sources].flatMap(citationProblems)
]
for (const { file, line, what } of problems) console.error(`${file}:${line}: ${what}`)
console.log(`${markdown.length} pages and ${sources.length} sources: ${problems.length} broken references`)
process.exitCode = problems.length === 0 ? 0 : 1
