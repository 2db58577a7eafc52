/** One recipe over several processes and machines, to the same bits: a coordinator and its runners. */

export { BlobPatience } from "./blobs/blobClient.ts"
export type { OverHttp } from "./coordinator/Coordinated.ts"
export {
  FilesServed,
  RunnerIsRefused,
  RunnersChanged,
  UnitComputed,
  UnitComputedHere,
  UnitHandedOut
} from "./coordinator/clusterEvents.ts"
export { coordinating } from "./coordinator/coordinate.ts"
export { ClusterUnavailable, ListenRefused, RunnerRefused, UnitFailed } from "./Errors.ts"
export { Identity } from "./identity/Identity.ts"
export { ClusterTimes } from "./storage/ClusterTimes.ts"
export { clusterName } from "./storage/storageLayer.ts"
export type { PluginFiles } from "./worker/PluginFiles.ts"
export { runWorker, type WorkerNews, type WorkerOptions } from "./worker/runWorker.ts"
export { StillPatience } from "./worker/signsOfLife.ts"
