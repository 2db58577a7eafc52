/** Runs one part of a task on a thread. */
import { runAttention, runAttentionGradient } from "./attention.ts"
import { runProduct } from "./product.ts"
import { runRows } from "./rows.ts"
import type { Thread } from "./Thread.ts"
import { partsOf, type SeveralTask, type Task } from "./tasks.ts"

const runSeveral = (thread: Thread, { tasks }: SeveralTask, part: number): void => {
  let before = 0
  for (const task of tasks) {
    const parts = partsOf(task)
    if (part < before + parts) {
      runRows(thread, task, part - before)
      return
    }
    before += parts
  }
}

export const execute = (thread: Thread, task: Task, part: number): void => {
  switch (task.kind) {
    case "rows":
      runRows(thread, task, part)
      break
    case "several":
      runSeveral(thread, task, part)
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
