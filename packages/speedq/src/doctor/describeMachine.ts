/** An examination as a person reads it. */
import { formatBytes } from "@speedq/pipeline"
import { tellSpeed } from "@speedq/tensors"
import { textTable } from "../command/textTable.ts"
import type { BackendReport } from "./BackendReport.ts"
import type { Examination } from "./examine.ts"

const backendRow = (report: BackendReport): readonly string[] => {
  if (!report.answers) return [report.name, "no", report.reason]
  const { m, k, n } = report.speed
  return [report.name, tellSpeed(report.speed), `${report.what}, measured on [${m}, ${k}] x [${k}, ${n}]`]
}

/** Memory of a device, as far as it is told, and the largest tensor that it holds. */
const deviceLines = (report: BackendReport): readonly string[] => {
  if (!report.answers || report.device === undefined) return []
  const { memory, largestBytes } = report.device
  const { bytes, source, shared } = memory
  const much = bytes === null ? "memory that is not known" : `${formatBytes(bytes)} of memory for tensors`
  const told = shared
    ? "uses the host's memory"
    : bytes === null
      ? `has ${much} (${source}); a recipe's memory.device says it`
      : `has ${much} (${source})`
  return ["", `${report.name} ${told}, and binds at most ${formatBytes(largestBytes)} at once`]
}

/** The machine, its backends, and what could be installed. */
export const describeMachine = ({
  system,
  processor,
  cores,
  memory,
  disk,
  node,
  backends,
  auto,
  ffmpeg,
  advice
}: Examination): string =>
  [
    textTable(
      ["machine", ""],
      [
        ["system", system],
        ["processor", `${cores} x ${processor}`],
        ["memory", `${formatBytes(memory.availableBytes)} available of ${formatBytes(memory.usableBytes)}`],
        ["disk", disk.freeBytes === null ? "unknown" : `${formatBytes(disk.freeBytes)} free in ${disk.directory}`],
        ["node", `${node.version}${node.supported ? "" : `, ${node.needed} is needed`}`],
        ["ffmpeg", ffmpeg ?? "none"]
      ]
    ),
    "",
    textTable(["backend", "products", ""], backends.map(backendRow)),
    ...backends.flatMap(deviceLines),
    ...(auto === null ? [] : ["", `--backend auto takes ${auto.takes}: ${auto.why}`]),
    ...advice.flatMap(({ what, command, brings }) => ["", `${what}: ${command}`, `  brings ${brings}`])
  ].join("\n")
