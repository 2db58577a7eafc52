/** What a cast converts to. */

export type CastTarget = "f32" | "bf16" | "f16"

export interface CastAttributes {
  readonly to: CastTarget
}
