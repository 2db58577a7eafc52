/** What the entries of the WebAssembly kernels call the types that numbers are stored in. */
export const storedType = { f32: 0, bf16: 1, f16: 2, u8: 4, i32: 5 } as const
