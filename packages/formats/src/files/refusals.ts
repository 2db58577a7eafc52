/** What the file system refuses, by its error codes: in words, and what to do about it. The one table behind all messages. */

interface Refusal {
  readonly codes: ReadonlyArray<string>
  readonly what: string
  readonly fix: string
}

const again = "and run the same command again"

const table = {
  "disk-full": { codes: ["ENOSPC"], what: "the disk is full", fix: `free some space ${again}` },
  "quota-used-up": {
    codes: ["EDQUOT"],
    what: "this user's quota of the file system is used up",
    fix: `remove files of this user there, or have the quota raised, ${again}`
  },
  "file-too-large": {
    codes: ["EFBIG"],
    what: "the file would be larger than this user or the file system may have files",
    fix: 'raise the limit ("ulimit -f"), or choose a place on another file system'
  },
  "not-permitted": {
    codes: ["EACCES", "EPERM"],
    what: "not permitted",
    fix: "give this user the right to it, or choose another place"
  },
  "read-only": { codes: ["EROFS"], what: "the file system is read-only", fix: "choose another place" },
  "not-supported": {
    codes: ["ENOTSUP", "EOPNOTSUPP", "ENOSYS"],
    what: "this file system cannot do that",
    fix: "choose a place on another one"
  },
  "too-many-open": {
    codes: ["EMFILE", "ENFILE"],
    what: "too many files are open",
    fix: `raise the limit ("ulimit -n") ${again}`
  }
} as const satisfies { readonly [reason: string]: Refusal }

/** Why the file system refused, where something can be said about it. */
export type RefusalReason = keyof typeof table
export const refusalReasons = Object.keys(table) as ReadonlyArray<RefusalReason> as readonly [
  RefusalReason,
  ...ReadonlyArray<RefusalReason>
]

/** The reason behind a system's error code, such as ENOSPC; undefined where there is no advice. */
export const refusalOf = (code: string): RefusalReason | undefined =>
  refusalReasons.find((reason) => (table[reason].codes as ReadonlyArray<string>).includes(code))

/** A reason in words, and what to do about it. */
export const refusalText = (reason: RefusalReason): Pick<Refusal, "what" | "fix"> => table[reason]

/** What to do about an error of the system, by its `code`; undefined where there is no advice, or it is none of the system. */
export const fixFor = (error: unknown): string | undefined => {
  const code = error instanceof Error && "code" in error ? refusalOf(String(error.code)) : undefined
  return code && table[code].fix
}
