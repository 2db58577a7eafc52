/** Starts blobThread.ts from its source: Node 20 gives a worker thread none of its parent's loaders. */
import { register } from "tsx/esm/api"

register()
await import("./blobThread.ts")
