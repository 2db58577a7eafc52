/** Stages: what they are, how a kind of stage is defined, and how its work is written. */
export type {
  AnyStage,
  BeforeWork,
  Begun,
  Continued,
  Definition,
  Metrics,
  Outcome,
  PlaceInRecipe,
  Program,
  Registered,
  Session,
  Stage,
  StageContext,
  Stepped,
  Superseded,
  Versions
} from "./contract.ts"
export { define } from "./defineStage.ts"
export { once, program } from "./program.ts"
