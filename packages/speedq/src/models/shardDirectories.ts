/** Where the shards of an evaluation keep their answers: each in a directory of its own below that of the whole. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { Shard } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { NoShards } from "../Errors.ts"

const shardName = /^shard-(\d+)-of-(\d+)$/

/** `DIR/shard-2-of-3` */
export const shardDirectory = (directory: string, { index, count }: Shard): string =>
  join(directory, `shard-${index}-of-${count}`)

interface ShardJournals {
  /** Of the model in file names. */
  readonly name: string
  readonly journals: readonly [string, ...string[]]
}

/**
 * Journals of a benchmark's shards below a directory, of the model that is called `name`, or of the only one. Fails with NoShards where
 * there are none, or of several models.
 */
export const shardJournals = Effect.fnUntraced(function* (
  directory: string,
  benchmark: string,
  name: string | undefined
): Effect.fn.Return<ShardJournals, NoShards> {
  const end = `_${benchmark}.journal.jsonl`
  const entries = existsSync(directory) ? readdirSync(directory, { withFileTypes: true }) : []
  const shards = entries.filter((entry) => entry.isDirectory() && shardName.test(entry.name)).map((entry) => entry.name)
  const files = shards.toSorted().flatMap((shard) =>
    readdirSync(join(directory, shard))
      .filter((file) => file.endsWith(end))
      .map((file) => ({ name: file.slice(0, -end.length), file: join(directory, shard, file) }))
  )
  const names = [...new Set(files.map((file) => file.name))]
  const meant = name ?? (names.length === 1 ? names[0] : undefined)
  const [first, ...others] = files.filter((file) => file.name === meant).map(({ file }) => file)
  if (meant === undefined || first === undefined) return yield* new NoShards({ directory, benchmark, names })
  return { name: meant, journals: [first, ...others] }
})
