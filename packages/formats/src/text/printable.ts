/**
 * Text for a terminal. What files, records and models say may hold characters that steer it: colours, a moved cursor, a changed title,
 * text that runs backwards. Whatever is printed goes through here.
 */

/** Control characters besides line ends and tabs, and marks that turn the direction of the text after them. */
const steering = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g

/** The text with what steers a terminal replaced by U+FFFD. Line ends stay. */
export const printable = (text: string): string => text.replaceAll("\r\n", "\n").replaceAll(steering, "\ufffd")

/** The same on one line: line ends and tabs become a space. */
export const printableLine = (text: string): string =>
  text.replaceAll(/[\t-\r\x85\u2028\u2029]+/g, " ").replaceAll(steering, "\ufffd")

/** JSON of the same value, with what steers a terminal escaped. */
export const printableJson = (json: string): string =>
  json.replaceAll(steering, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
