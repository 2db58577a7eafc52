/** The bridge to functions of system libraries; loaded when something of them is wanted. */
import { createRequire } from "node:module"

export const openKoffi = () => createRequire(import.meta.url)("koffi") as typeof import("koffi")
