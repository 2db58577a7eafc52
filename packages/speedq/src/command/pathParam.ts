/** Paths on the command line: shells complete them, and the command gets them as they were written. */
import type * as Argument from "effect/cli/Argument"
import type * as Flag from "effect/cli/Flag"
import * as Param from "effect/cli/Param"
import * as Primitive from "effect/cli/Primitive"

type PathType = Primitive.PathType

/**
 * A path by its text. Effect's own makes it absolute and looks whether it exists: names of shipped recipes, `speedq:` paths and messages
 * want what was written.
 */
const written = (pathType: PathType): Primitive.Primitive<string> => {
  const path = Primitive.Path(pathType)
  return Object.assign(Object.create(Object.getPrototypeOf(path)), path, { parse: Primitive.String.parse })
}

/** A flag `--name METAVAR` whose value is completed as a path. */
export const pathFlag = (name: string, metavar: string, pathType: PathType): Flag.Flag<string> =>
  Param.makeSingle({ kind: Param.flagKind, name, primitiveType: written(pathType), typeName: metavar })

/** An argument that is completed as a path. */
export const pathArgument = (name: string, pathType: PathType): Argument.Argument<string> =>
  Param.makeSingle({ kind: Param.argumentKind, name, primitiveType: written(pathType), typeName: "path" })
