/** What started this thread, as the thread sees it: a worker of a page. */

declare const self: {
  onmessage: ((event: { readonly data: unknown }) => void) | null
  postMessage: (message: string) => void
  close: () => void
}

export const listen = (receive: (message: unknown) => void): void => {
  self.onmessage = ({ data }) => receive(data)
}

export const tell = (message: string): void => self.postMessage(message)

export const end = (): void => self.close()
