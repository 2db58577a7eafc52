/** Every kind of stage that recipes in JSON may name: ours, and a user's own. */
import * as Effect from "effect/Effect"
import { Extensions } from "../extensions/Extensions.ts"
import { stages } from "./stages.ts"

export const knownStages = Effect.map(Extensions, ({ stages: own }) => [...stages, ...own])
