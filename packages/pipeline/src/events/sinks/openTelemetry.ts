/**
 * Events to an OpenTelemetry collector (OTLP over HTTP, as JSON): numbers as gauges, lines as log records. It is Effect's own exporter:
 * what cannot be sent is tried again, then left out for a minute; a run never fails or waits for it.
 */
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpResource from "effect/observability/OtlpResource"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import { isEntryOf, type Sink } from "../Events.ts"
import { StepDone } from "../runEvents.ts"

const serviceName = "speedq"
const nanoseconds = (milliseconds: number): string => `${milliseconds}000000`
/** Numbers of the severities "info" and "warn". */
const severities = { info: 9, warn: 13 } as const

/** Sends to `endpoint`, such as `http://localhost:4318`; `run` is told with each record. */
const openTelemetrySink = Effect.fn("openTelemetrySink")(function* (endpoint: string, run: string) {
  const { metrics, logs } = yield* OtlpSerialization.OtlpSerialization
  const resource = OtlpResource.make({ serviceName, serviceVersion: undefined, attributes: { run } })
  const scope = { name: serviceName }
  const open = (signal: "metrics" | "logs", body: Parameters<typeof OtlpExporter.make>[0]["body"]) =>
    OtlpExporter.make({
      url: `${endpoint.replace(/\/$/, "")}/v1/${signal}`,
      headers: undefined,
      label: `speedq ${signal}`,
      exportInterval: "1 second",
      maxBatchSize: 1000,
      shutdownTimeout: "3 seconds",
      body
    })
  const numbers = yield* open("metrics", (all) => [
    metrics({ resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics: all }] }] }),
    Effect.void
  ])
  const lines = yield* open("logs", (all) => [
    logs({ resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: all }] }] }),
    Effect.void
  ])
  const sink: Sink = {
    write: (entry) => {
      const { at, stage, tag, warning } = entry
      const timeUnixNano = nanoseconds(at)
      const place = OtlpResource.entriesToAttributes(stage === undefined ? [] : [["stage", stage]])
      const step = isEntryOf(StepDone, entry)
        ? OtlpResource.entriesToAttributes([["step", entry.event.step]])
        : OtlpResource.entriesToAttributes([])
      for (const [name, asDouble] of Object.entries(entry.scalars())) {
        const dataPoints = [{ timeUnixNano, asDouble, attributes: [...place, ...step] }]
        numbers.push({ name: `speedq.${name}`, gauge: { dataPoints } })
      }
      // Steps are in the numbers already.
      const line = isEntryOf(StepDone, entry) ? undefined : entry.line()
      if (line === undefined) return
      const severity = warning ? "warn" : "info"
      lines.push({
        timeUnixNano,
        observedTimeUnixNano: timeUnixNano,
        severityNumber: severities[severity],
        severityText: severity.toUpperCase(),
        body: OtlpResource.unknownToAttributeValue(line),
        attributes: [...place, ...OtlpResource.entriesToAttributes([["event", tag]])]
      })
    },
    flush: Effect.void
  }
  return sink
})

const platform = Layer.mergeAll(FetchHttpClient.layer, OtlpSerialization.layerJson, OtlpExporter.layerFlusher)

/** The sink with what it needs to send, for the life of the scope. */
export const sendingSink = (endpoint: string, run: string) =>
  Effect.flatMap(Layer.build(platform), (services) => Effect.provideContext(openTelemetrySink(endpoint, run), services))
