/** What the WebAssembly module exports: the entries that bodies of kernels name. */
export { dotRows } from "./dotRows"
export { add, addInto } from "./elementwise"
export { multiplyPanels, packColumns, packRows } from "./product"
export { clear, clearRows, copyRows, fillRows, widen, widenRows } from "./storage"
