/** Runs one part of a task on a thread. */
import { runAttention, runAttentionGradient } from "./attention.ts"
import { runProduct } from "./product.ts"
import { runRows } from "./rows.ts"
import type { Thread } from "./Thread.ts"
import type { Task } from "./tasks.ts"

export const execute = (thread: Thread, task: Task, part: number): void => {
  switch (task.kind) {
    case "rows":
      runRows(thread, task, part)
      break
    case "product":
      runProduct(thread, task, part)
      break
    case "attention":
      runAttention(thread, task, part)
      break
    case "attentionGradient":
      runAttentionGradient(thread, task, part)
      break
  }
}
