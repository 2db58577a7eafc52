/** Drivers of GPUs tell a page nothing of their memory. */

export const askNvidia = async (): Promise<string | undefined> => undefined

export const askAmdgpu = (): readonly { readonly total: number; readonly used: number }[] => []
