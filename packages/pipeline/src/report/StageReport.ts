/** The sections that a stage adds to the report, one of its files. */
import * as Schema from "effect/Schema"
import { Section } from "./Report.ts"

export const reportName = "report.json"
export const StageReport = Schema.fromJsonString(Schema.Array(Section))
