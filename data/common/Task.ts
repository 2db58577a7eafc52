/** What a data set's questions are made of, before a language is chosen. */

export type Language = "en" | "zh"
export const languages: ReadonlyArray<Language> = ["en", "zh"]

/**
 * What every language says whatever the data set. Phrases separate words by spaces. `write` turns them into text as it is written:
 * Chinese drops the spaces, which the tokenizer's construction needs to know where its words end.
 */
export interface CommonPhrases {
  readonly language: Language
  readonly write: (words: string) => string
  /** Asks for an answer that names what it follows from. */
  readonly explain: string
  readonly explained: (evidence: string, answer: string) => string
}

/** One question about a scene. `key` names its answer in no language; answers of a type are balanced over keys. */
export interface Candidate<Book> {
  readonly key: string
  readonly ask: (book: Book) => string
  readonly reply: (book: Book) => string
  /** Every answer that could be offered as an option, for the questions that multiple choice is made of. */
  readonly domain?: (book: Book) => ReadonlyArray<string>
  /** What the answer follows from, for answers that explain themselves. */
  readonly evidence?: (book: Book) => string
}

export interface Task<Scene, Book> {
  /** The keys over which evaluation rows are balanced; empty where answers are too many to list. */
  readonly keys: ReadonlyArray<string>
  readonly candidates: (scene: Scene) => ReadonlyArray<Candidate<Book>>
}

/** The keys of every task that is answered by yes or no. */
export const yesNoKeys: ReadonlyArray<string> = ["yes", "no"]

/** A question that is answered by the book's words for yes and no. */
export const yesOrNo = <Book extends { readonly yes: string; readonly no: string }>(
  truth: boolean,
  ask: Candidate<Book>["ask"],
  evidence: (book: Book) => string
): Candidate<Book> => ({
  key: truth ? "yes" : "no",
  ask,
  reply: (book) => (truth ? book.yes : book.no),
  evidence
})

export const choiceLetters: ReadonlyArray<string> = ["A", "B", "C", "D"]
