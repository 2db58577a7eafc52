/** Progress of commands that are no runs: the same bars and lines that a run has, on standard error. */
import { Events, eventKind, Sinks } from "@speedq/pipeline"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

/** A remark between bars. */
export const Note = eventKind("Note", { message: Schema.String }, { line: ({ message }) => message })

/** Bars with the time left on a terminal, plain lines elsewhere. */
export const progress: Layer.Layer<Events> = Sinks.terminal().pipe(Layer.provideMerge(Events.layer))
