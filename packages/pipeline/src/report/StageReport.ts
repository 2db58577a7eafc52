/** The sections that a stage adds to the report, one of its files. */
import { jsonString } from "@speedq/formats"
import * as Schema from "effect/Schema"
import { Section } from "./Report.ts"

export const reportName = "report.json"
export const StageReport = jsonString(Schema.Array(Section))
