/** Files that were dropped or chosen, with those in folders. */
import type { ChosenFile } from "../engine/messages.ts"

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject))

const entriesOf = async (directory: FileSystemDirectoryEntry): Promise<readonly FileSystemEntry[]> => {
  const reader = directory.createReader()
  const all: FileSystemEntry[] = []
  // A reader gives some at a time.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}

const walk = async (entry: FileSystemEntry): Promise<readonly ChosenFile[]> => {
  if (entry.isFile) return [{ path: entry.fullPath.slice(1), blob: await fileOf(entry as FileSystemFileEntry) }]
  const entries = await entriesOf(entry as FileSystemDirectoryEntry)
  return (await Promise.all(entries.map(walk))).flat()
}

/** What a drop holds; entries must be asked for before anything is waited for. */
export const droppedFiles = async (data: DataTransfer): Promise<readonly ChosenFile[]> => {
  const entries = [...data.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  if (entries.length === 0) return chosenFiles(data.files)
  return (await Promise.all(entries.map(walk))).flat()
}

export const chosenFiles = (files: Iterable<File>): readonly ChosenFile[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath || file.name, blob: file }))

export const isPicture = ({ blob }: ChosenFile): boolean => blob.type.startsWith("image/")
