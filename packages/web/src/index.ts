/** A page that runs a packed model offline in any browser, the export that writes it, and what its server says of it. */
export { isPageBuilt, pageDirectory } from "./export/pageFiles.ts"
export { webExporter } from "./export/webExporter.ts"
export { isWebFolder, joinModel, webFiles } from "./export/webFolder.ts"
export { contentSecurityPolicy, mediaType, pageHeaders } from "./headers.ts"
export { bytesOf, indexName, ModelIndex, modelFolder, partBytes, partsOf } from "./model/ModelIndex.ts"
