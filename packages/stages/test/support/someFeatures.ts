/** Features that follow from their keys: who finds them knows what they must be. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { type FeatureStore, openFeatureStore } from "../../src/features/FeatureStore.ts"
import type { FeatureKey, FeatureNumbers } from "../../src/features/featureRecord.ts"

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")

export const keyOf = (tower: number, tile: number): FeatureKey => ({
  tower: digestOf(`tower ${tower}`),
  tile: digestOf(`tile ${tile}`)
})

/** 64 numbers. */
export const count = 64
export const valuesOf = ({ tower, tile }: FeatureKey): Float32Array =>
  Float32Array.from(Buffer.from(tower + tile, "hex"), (byte, at) => (byte - 128) / 3 + at)

export const openStore = (
  directory: string,
  limit = 2 ** 30,
  numbers: FeatureNumbers = "f32",
  told: string[] = []
): Promise<FeatureStore> =>
  Effect.runPromise(
    openFeatureStore({ directory, limit, numbers, tell: ({ message }) => Effect.sync(() => told.push(message)) })
  )

export const find = (store: FeatureStore, key: FeatureKey) => Effect.runPromise(store.find(key, count))
export const keep = (store: FeatureStore, key: FeatureKey) => Effect.runPromise(store.keep(key, valuesOf(key)))
