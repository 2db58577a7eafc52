/** The formats of `speedq export`: those of recipes, and the page, which lies above them. */
import { Extensions } from "@speedq/stages"
import { webExporter } from "@speedq/web"
import * as Effect from "effect/Effect"

export const exportFormats = Effect.map(Extensions, ({ exporters }) => [...exporters, webExporter])
