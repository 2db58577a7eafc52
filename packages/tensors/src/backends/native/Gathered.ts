/** Row tasks that wait to run as one, and the storage that they touch: a call that depends on one of them has to wait for all. */
import type { Handle } from "../../core/Operand.ts"
import type { RowOperand } from "./NativeBody.ts"
import type { RowsTask, Task } from "./thread/tasks.ts"

/** Tasks that wait at most: they are written down in memory that threads share, which has room for some hundred. */
const mostTasks = 64

export class Gathered {
  private readonly tasks: RowsTask[] = []
  private readonly kernels = new Set<string>()
  private readonly read = new Set<Handle>()
  private readonly written = new Set<Handle>()

  /** Whether a task waits that reads or writes this storage. */
  touches(handle: Handle): boolean {
    return this.read.has(handle) || this.written.has(handle)
  }

  /** Whether a call with these operands may run beside the tasks that wait, and there is room for it. */
  takes(operands: readonly (RowOperand | undefined)[]): boolean {
    const isApart = (item: RowOperand | undefined): boolean => {
      if (item === undefined) return true
      return item.writes ? !this.touches(item.operand.handle) : !this.written.has(item.operand.handle)
    }
    return this.tasks.length < mostTasks && operands.every(isApart)
  }

  add(kernel: string, task: RowsTask, operands: readonly (RowOperand | undefined)[]): void {
    this.tasks.push(task)
    this.kernels.add(kernel)
    for (const item of operands)
      if (item !== undefined) (item.writes ? this.written : this.read).add(item.operand.handle)
  }

  /** What waits, as one task, and the kernels that it is of; undefined if nothing does. Nothing waits afterwards. */
  take(): { readonly kernel: string; readonly task: Task } | undefined {
    const [first, ...more] = this.tasks.splice(0)
    if (first === undefined) return undefined
    const kernel = [...this.kernels].join(", ")
    for (const each of [this.kernels, this.read, this.written]) each.clear()
    return { kernel, task: more.length === 0 ? first : { kind: "several", tasks: [first, ...more] } }
  }
}
