/** The English phrases. */
import type { Phrasebook } from "./Phrasebook.ts"
import type { Shape } from "./Scene.ts"

const plural = (shape: Shape): string => (shape === "cross" ? "crosses" : `${shape}s`)

export const english: Phrasebook = {
  language: "en",
  write: (words) => words,
  places: ["northwest", "north", "northeast", "west", "center", "east", "southwest", "south", "southeast"],
  tiles: ["first", "second"],
  colors: { red: "red", green: "green", blue: "blue", yellow: "yellow", purple: "purple", orange: "orange" },
  shapes: {
    ...{ circle: "circle", square: "square", triangle: "triangle", star: "star", cross: "cross", ring: "ring" },
    ...{ diamond: "diamond", bar: "bar" }
  },
  yes: "Yes",
  no: "No",
  colored: (color) => `big ${color} object`,
  shaped: (shape) => `big ${shape}`,
  askAttribute: (attribute, place) => `What ${attribute} is the ${place} object?`,
  askSide: (side, place) => `What is on the ${side} in the ${place}?`,
  askText: (place) => `What is written in the ${place}?`,
  askDots: (place) => `How many dots are in the ${place}?`,
  askPlace: (thing) => `Where is the ${thing}?`,
  countColor: (color) => `How many big ${color} objects are there?`,
  countShape: (shape) => `How many big ${plural(shape)} are there?`,
  askExists: (thing) => `Is there a ${thing}?`,
  verifyColor: (place, color) => `Is the ${place} object ${color}?`,
  verifyShape: (place, shape) => `Is the ${place} object a ${shape}?`,
  explain: "Explain.",
  explained: (evidence, answer) => `${evidence}: ${answer}`,
  foundAt: (name, found) => [name, ...(found.length === 0 ? ["nowhere"] : found)].join(" "),
  askSorted: (attribute) => `List the big objects by ${attribute}.`,
  askCaption: "Describe the image.",
  caption: (parts) => `${parts.join(", ")}.`,
  captionPart: (place, thing) => `${place} ${thing}`,
  figure: (color, shape) => `${color} ${shape}`,
  pair: (left, right) => `${left} ${right}`,
  dots: (count, color) => `${count} ${color} ${count === 1 ? "dot" : "dots"}`
}
