/** Takes what a stage's data was when the stage began to another directory, where the same stage begins from the same data. */
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { ledgerName } from "./DataLedger.ts"
import { lengthsName } from "./openStageData.ts"

export const copyBeginning = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true })
  for (const name of [ledgerName, lengthsName]) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  }
}
