/** Builds the page into dist/page: `index.html`, its scripts and WebAssembly, and the service worker, which knows all of them by name. */
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { defineConfig, type Plugin } from "vite"
import { contentSecurityPolicy } from "./src/headers.ts"

/** What a browser has not: all that uses it must have been left out. */
const foreign = /^(node:|koffi$|webgpu$|sharp$)/

export const withoutNode = (): Plugin => ({
  name: "without-node",
  enforce: "pre",
  resolveId: (id) => (foreign.test(id) ? { id, external: true, moduleSideEffects: false } : undefined),
  generateBundle(_, bundle) {
    for (const chunk of Object.values(bundle)) {
      const left =
        chunk.type === "chunk" ? [...chunk.imports, ...chunk.dynamicImports].filter((id) => foreign.test(id)) : []
      if (left.length > 0) this.error(`${chunk.fileName} needs ${left.join(", ")}, which no browser has`)
    }
  }
})

const withPolicy = (): Plugin => ({
  name: "with-policy",
  transformIndexHtml: (html) => html.replace("%POLICY%", contentSecurityPolicy)
})

/** Tells the service worker the names of all files, and a digest that changes with any of them. */
const withFileList = (): Plugin => ({
  name: "with-file-list",
  enforce: "post",
  generateBundle(_, bundle) {
    const files = Object.values(bundle).filter(({ fileName }) => fileName !== "sw.js")
    const names = [...files.map(({ fileName }) => fileName), ...copied].sort()
    const hash = createHash("sha256")
    for (const file of files) hash.update(file.fileName).update(file.type === "chunk" ? file.code : file.source)
    const worker = bundle["sw.js"]
    if (worker?.type !== "chunk") return
    worker.code = worker.code
      .replace(/"%FILES%"|`%FILES%`/, JSON.stringify(names))
      .replace("%VERSION%", hash.digest("hex").slice(0, 16))
    if (worker.code.includes("%")) this.error("the service worker does not know the files of the page")
  }
})

/** Files that are copied as they are. */
const copied = ["icon.svg", "manifest.webmanifest"]

export default defineConfig({
  root: fileURLToPath(new URL("./src/page", import.meta.url)),
  publicDir: fileURLToPath(new URL("./src/page/public", import.meta.url)),
  base: "./",
  plugins: [withoutNode(), withPolicy(), withFileList()],
  resolve: { alias: { "gpu.js": "gpu.js/dist/gpu-browser.min.js" } },
  worker: {
    format: "es",
    plugins: () => [withoutNode()],
    // GPU.js reads kernels as the text that they are written in: it stays that text but for white space.
    rolldownOptions: { output: { minify: { compress: false, mangle: false, codegen: true } } }
  },
  build: {
    outDir: fileURLToPath(new URL("./dist/page", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // The policy lets nothing be loaded from data: but pictures.
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      checks: { pluginTimings: false },
      input: {
        index: fileURLToPath(new URL("./src/page/index.html", import.meta.url)),
        sw: fileURLToPath(new URL("./src/page/serviceWorker.ts", import.meta.url))
      },
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") }
    }
  }
})
