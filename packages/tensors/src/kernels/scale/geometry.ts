/** Attributes of scaling. */

export interface ScaleAttributes {
  readonly factor: number
}
