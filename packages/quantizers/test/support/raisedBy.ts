/** The typed error that something raises. */
export interface Raised {
  readonly _tag: string
  readonly message: string
}

const isRaised = (error: unknown): error is Raised => error instanceof Error && "_tag" in error

export const raisedBy = (body: () => unknown): Raised => {
  try {
    body()
  } catch (error) {
    if (isRaised(error)) return error
    throw error
  }
  throw new Error("nothing was raised")
}

export const rejectionOf = async (body: Promise<unknown>): Promise<Raised> => {
  const [result] = await Promise.allSettled([body])
  return raisedBy(() => {
    if (result.status === "rejected") throw result.reason
  })
}
