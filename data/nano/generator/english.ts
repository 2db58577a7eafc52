/** The English phrases. */
import type { Phrasebook } from "./Phrasebook.ts"
import type { Shape } from "./Scene.ts"

const places = ["northwest", "north", "northeast", "west", "center", "east", "southwest", "south", "southeast"]
const rows = ["top", "middle", "bottom"]
const directions = { left: "left of", right: "right of", above: "above", below: "below" }
const plural = (shape: Shape): string => (shape === "cross" ? "crosses" : `${shape}s`)

export const english: Phrasebook = {
  language: "en",
  write: (words) => words,
  places,
  colors: { red: "red", green: "green", blue: "blue", yellow: "yellow", purple: "purple", orange: "orange" },
  shapes: { circle: "circle", square: "square", triangle: "triangle", star: "star", cross: "cross", ring: "ring" },
  yes: "Yes",
  no: "No",
  colored: (color) => `${color} object`,
  shaped: (shape) => shape,
  askAttribute: (attribute, place) => `What ${attribute} is the ${places[place]} object?`,
  askPlace: (thing) => `Where is the ${thing}?`,
  countColor: (color) => `How many ${color} objects are there?`,
  countShape: (shape) => `How many ${plural(shape)} are there?`,
  askExists: (thing) => `Is there ${/^[aeiou]/.test(thing) ? "an" : "a"} ${thing}?`,
  verifyColor: (place, color) => `Is the ${places[place]} object ${color}?`,
  verifyShape: (place, shape) => `Is the ${places[place]} object a ${shape}?`,
  compare: (attribute, first, second) =>
    `Do the ${places[first]} and ${places[second]} objects have the same ${attribute}?`,
  relation: (first, direction, second) => `Is the ${first} ${directions[direction]} the ${second}?`,
  askSign: (place) => `What is written in the ${places[place]}?`,
  askRow: (kind, row) => `What ${kind} is in the ${rows[row]} row?`,
  explain: "Explain.",
  explained: (evidence, answer) => `${evidence}: ${answer}`,
  list: (items) => items.join(", "),
  foundAt: (name, found) =>
    [name, ...(found.length === 0 ? ["nowhere"] : found.map((place) => places[place]))].join(" "),
  askSorted: (attribute) => `List the objects by ${attribute}.`,
  askCaption: "Describe the image.",
  caption: (parts) => `${parts.join(", ")}.`,
  captionPart: (place, thing) => `${places[place]} ${thing}`,
  figure: (color, shape) => `${color} ${shape}`
}
