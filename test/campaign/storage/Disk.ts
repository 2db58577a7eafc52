/**
 * What a disk holds after a loss of power. A write is kept for certain when its file was flushed; a name, when its directory was. Of
 * the rest anything may be there: nothing, all, the beginning, zeros in its place, names without what is in their files.
 * A rename is there whole or not at all, also between two directories, as it is in file systems with a journal.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import type { Operation } from "../../../packages/pipeline/test/toy/operations.ts"
import type { Random } from "../Random.ts"

/** What becomes of that which was not flushed. */
export type Loss =
  /** All of it is gone. */
  | "everything"
  /** Names are there, what was written into their files is not. */
  | "contents"
  /** What was written is there, names are not. */
  | "names"
  /** Names are there up to a moment; contents are torn. */
  | "later"
  /** Any names are there and any not; contents are torn. */
  | "any"
  /** Nothing: the process was killed, the machine goes on. */
  | "nothing"

export const losses: readonly Loss[] = ["everything", "contents", "names", "later", "any", "nothing"]

/** Whether two losses of this kind may differ. */
export const isRandom = (loss: Loss): boolean => loss === "later" || loss === "any"

/** A file as the process sees it, and as it was flushed. What is written takes the place of the bytes, which are never changed. */
class FileNode {
  now: Uint8Array = new Uint8Array(0)
  flushed: Uint8Array = new Uint8Array(0)
  /** So many bytes at the beginning were flushed and not touched since. */
  kept = 0
}

/** A directory: its names on the disk. Those that the process sees are in `Disk`. */
class DirectoryNode {
  readonly flushed = new Map<string, Node>()
}

type Node = FileNode | DirectoryNode

/** A change of names that is not flushed: all of its parts are on the disk, or none. */
interface NameChange {
  readonly parts: readonly {
    readonly directory: DirectoryNode
    readonly name: string
    readonly node: Node | undefined
  }[]
}

/** Files by their path from the root. */
export type Image = ReadonlyMap<string, Uint8Array>

export class Disk {
  readonly #root: string
  readonly #top = new DirectoryNode()
  /** What the process sees, by path. */
  readonly #seen = new Map<string, Node>()
  #pending: NameChange[] = []

  constructor(root: string) {
    this.#root = root
    this.#seen.set(root, this.#top)
  }

  /** Goes on by one operation; those outside the root are nothing to this disk. */
  apply(operation: Operation): void {
    const { kind, path } = operation
    if (kind === "open" || kind === "read" || kind === "list" || !this.#isBelow(path)) return
    switch (kind) {
      case "create":
        this.#name(path, new FileNode())
        return
      case "makeDirectory":
        this.#name(path, new DirectoryNode())
        return
      case "empty":
        this.#cut(this.#file(path), 0)
        return
      case "write":
        this.#write(this.#file(path), operation.at, operation.bytes)
        return
      case "cut":
        this.#cut(this.#file(path), operation.length)
        return
      case "remove":
        this.#seen.delete(path)
        this.#change([path, undefined])
        return
      case "link":
        this.#name(operation.to, this.#seen.get(path)!)
        return
      case "rename":
        this.#rename(path, operation.to)
        return
      case "flush":
        this.#flush(path)
    }
  }

  /** What is on the disk after a loss. */
  after(loss: Loss, random: Random): Image {
    const names = this.#names(loss, random)
    const image = new Map<string, Uint8Array>()
    const walk = (directory: DirectoryNode, path: string) => {
      for (const [name, node] of names(directory)) {
        const at = path === "" ? name : `${path}/${name}`
        if (node instanceof DirectoryNode) walk(node, at)
        else image.set(at, contentAfter(node, loss, random))
      }
    }
    walk(this.#top, "")
    return image
  }

  #isBelow(path: string): boolean {
    return path === this.#root || path.startsWith(`${this.#root}/`)
  }

  #file(path: string): FileNode {
    const node = this.#seen.get(path)
    if (!(node instanceof FileNode))
      throw new Error(`the recording writes to ${relative(this.#root, path)}, which it never made`)
    return node
  }

  #change(...parts: readonly (readonly [path: string, node: Node | undefined])[]): void {
    const changes = parts.map(([path, node]) => {
      const directory = this.#seen.get(dirname(path))
      if (!(directory instanceof DirectoryNode)) throw new Error(`the recording knows no directory ${dirname(path)}`)
      return { directory, name: basename(path), node }
    })
    this.#pending.push({ parts: changes })
  }

  #name(path: string, node: Node): void {
    if (path === this.#root) return
    this.#seen.set(path, node)
    this.#change([path, node])
  }

  #cut(file: FileNode, length: number): void {
    file.now = file.now.slice(0, length)
    file.kept = Math.min(file.kept, length)
  }

  #write(file: FileNode, at: number, bytes: Uint8Array): void {
    const grown = new Uint8Array(Math.max(file.now.length, at + bytes.length))
    grown.set(file.now)
    grown.set(bytes, at)
    file.now = grown
    file.kept = Math.min(file.kept, at)
  }

  #rename(from: string, to: string): void {
    const node = this.#seen.get(from)
    if (node === undefined) throw new Error(`the recording renames ${from}, which it never made`)
    for (const path of [...this.#seen.keys()]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      this.#seen.set(to + path.slice(from.length), this.#seen.get(path)!)
      this.#seen.delete(path)
    }
    this.#change([from, undefined], [to, node])
  }

  #flush(path: string): void {
    const node = this.#seen.get(path)
    if (node instanceof FileNode) {
      node.flushed = node.now
      node.kept = node.now.length
    }
    if (!(node instanceof DirectoryNode)) return
    const isOfIt = ({ parts }: NameChange) => parts.some(({ directory }) => directory === node)
    for (const change of this.#pending.filter(isOfIt)) keep(change, (directory) => directory.flushed)
    this.#pending = this.#pending.filter((change) => !isOfIt(change))
  }

  /** The names that a directory has after a loss. */
  #names(loss: Loss, random: Random): (directory: DirectoryNode) => ReadonlyMap<string, Node> {
    const known = new Map<DirectoryNode, Map<string, Node>>()
    const of = (directory: DirectoryNode) => {
      const names = known.get(directory) ?? new Map(directory.flushed)
      known.set(directory, names)
      return names
    }
    const until = random.below(this.#pending.length + 1)
    const kept = this.#pending.filter((_, index) => {
      if (loss === "everything" || loss === "names") return false
      if (loss === "later") return index < until
      return loss !== "any" || random.chance(0.5)
    })
    for (const change of kept) keep(change, of)
    return of
  }
}

const keep = ({ parts }: NameChange, namesOf: (directory: DirectoryNode) => Map<string, Node>): void => {
  for (const { directory, name, node } of parts) {
    if (node === undefined) namesOf(directory).delete(name)
    else namesOf(directory).set(name, node)
  }
}

const contentAfter = ({ now, flushed, kept }: FileNode, loss: Loss, random: Random): Uint8Array => {
  if (loss === "nothing" || loss === "names") return now
  if (loss === "everything" || loss === "contents" || now === flushed) return flushed
  const kind = random.below(4)
  if (kind === 0) return flushed
  if (kind === 1) return now.slice(0, kept + random.below(now.length - kept + 1))
  if (kind === 3) return now
  // Its length is on the disk, the blocks that were added are not. Where blocks were overwritten, the old ones are.
  if (kept < flushed.length) return flushed
  return Buffer.concat([flushed, new Uint8Array(now.length - kept)])
}

/** Writes the files below a directory of the machine. */
export const writeImage = (image: Image, directory: string): void => {
  for (const [path, bytes] of image) {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
  }
}
