/** The last chapter: what a result rests on, so that it can be made again. */
import { publicText } from "@speedq/formats"
import type { StageManifest } from "../checkpoints/StageManifest.ts"
import { runCommand } from "../machine/Machine.ts"
import type { Section } from "../report/Report.ts"
import { formatTime } from "../text/format.ts"
import type { RunStatus } from "./status.ts"

/** Digests are cut to what tells them apart. */
const shortDigest = (digest: string): string => (digest === "" ? "-" : digest.slice(0, 12))

export const originSections = (
  { record, stages }: RunStatus,
  { state, message }: { readonly state: string; readonly message: string | undefined },
  manifests: ReadonlyArray<StageManifest | undefined>
): ReadonlyArray<Section> => {
  const { [runCommand]: command, ...surroundings } = record.surroundings
  return [
    {
      _tag: "Table",
      title: "Origin",
      columns: ["what", "value"],
      rows: [
        ["state", message === undefined ? state : `${state}: ${message}`],
        ["started", `${formatTime(Date.parse(record.startedAt))} UTC`],
        ["continued", record.continuedAt.length],
        ["build", record.build],
        // A report is shown to others, whom the machine's name does not concern; run.json has it.
        ...Object.entries(surroundings).filter(([what]) => what !== "host")
      ]
    },
    ...(command === undefined ? [] : [{ _tag: "Code" as const, title: "Command", text: publicText(command) }]),
    {
      _tag: "Code",
      title: "Recipe",
      text: publicText(JSON.stringify(record.recipe, undefined, 2)),
      folded: true
    },
    {
      _tag: "Table",
      title: "Versions, seeds and digests of each stage",
      columns: ["stage", "version", "seed", "data", "key"],
      rows: stages.map(({ place, key }, index) => {
        const parts = manifests[index]?.parts
        return [
          place,
          parts?.version ?? "-",
          parts === undefined ? "-" : String(parts.seed),
          shortDigest(parts?.data ?? ""),
          shortDigest(key ?? "")
        ]
      }),
      folded: true,
      note: "First digits of SHA-256: of the data that a stage reads, and of all that its result rests on. The manifest.json of each stage has them whole."
    }
  ]
}
