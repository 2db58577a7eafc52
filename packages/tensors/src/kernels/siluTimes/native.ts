import { elementwise } from "../../backends/native/NativeBody.ts"

export const native = elementwise("siluTimes", { reads: ["gate", "up"], writes: ["y"] })
export const nativeGradient = elementwise("siluTimesGradient", {
  reads: ["gate", "up", "dy"],
  writes: ["dgate", "dup"]
})
