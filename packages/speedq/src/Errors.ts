/** What the command itself can find wrong; everything else comes from the packages below. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { formatCount, runFileName } from "@speedq/pipeline"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"

/** The command line is not one that speedq understands: exit 2. */
export class WrongUsage extends Schema.TaggedError<WrongUsage>()("WrongUsage", {
  problems: Schema.Array(Schema.String),
  /** Where to read more, such as "speedq plan --help". */
  help: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override get message() {
    return `${this.problems.join("\n")}\nsee "${this.help}"`
  }
}

/** A recipe file that is not there. */
export class RecipeMissing extends Schema.TaggedError<RecipeMissing>()("RecipeMissing", {
  file: Schema.String,
  near: Schema.Array(Schema.String)
}) {
  override get message() {
    const advice =
      this.near.length === 0
        ? "give a recipe in JSON, a module that exports one, the directory of a run, or the name of a shipped recipe"
        : `did you mean ${this.near.join(", ")}?`
    return `no recipe ${this.file}: there is no such file; ${advice}`
  }
}

/** A recipe file that is no JSON, or cannot be read. */
export class RecipeUnreadable extends Schema.TaggedError<RecipeUnreadable>()("RecipeUnreadable", {
  file: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `recipe ${this.file}: ${this.reason}`
  }
}

/** A run with other settings that was not meant. */
export class NotConfirmed extends Schema.TaggedError<NotConfirmed>()("NotConfirmed", { directory: Schema.String }) {
  override get message() {
    return `nothing was done; ${this.directory} is as it was`
  }
}

/** A directory that holds no run. */
export class NoRun extends Schema.TaggedError<NoRun>()("NoRun", {
  directory: Schema.String,
  /** Whether there is a run.json, which is cut off or damaged. */
  damaged: Schema.Boolean
}) {
  static readonly in = (directory: string): NoRun =>
    new NoRun({ directory, damaged: existsSync(join(directory, runFileName)) })

  override get message() {
    if (this.damaged) {
      return `${this.directory}/run.json is cut off or damaged; run the same recipe again with "--out ${this.directory}": finished stages are kept`
    }
    return `${this.directory} holds no run (it has no run.json); give the directory of a run ("speedq run --out DIR")`
  }
}

/** A run that has nothing to be compared by. */
export class RunNotComparable extends Schema.TaggedError<RunNotComparable>()("RunNotComparable", {
  directory: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.directory} cannot be compared: ${this.reason}`
  }
}

/** A run that was made with plugins, or in code, which are not given, and that cannot go on without. */
export class PluginsMissing extends Schema.TaggedError<PluginsMissing>()("PluginsMissing", {
  directory: Schema.String,
  plugins: Schema.Array(Schema.Struct({ name: Schema.String, brought: Schema.String })),
  /** What the program that made the run brought itself. */
  inCode: Schema.optionalKey(Schema.String),
  /** The module that the recipe came from, where that has stages of its own. */
  module: Schema.optionalKey(Schema.String),
  reason: Schema.String
}) {
  override get message() {
    const { directory, plugins, inCode, module, reason } = this
    const named = plugins.map(({ name, brought }) => `${name} (${brought})`).join(", ")
    const flags = plugins.map(({ name }) => `--plugin ${name}`).join(" ")
    const told = [
      named && `${directory} was made with ${named}; add ${flags}, with the paths of the files`,
      inCode &&
        `${directory} was made by a program with ${inCode} in code; run that program, or export them as a plugin`,
      module && `the recipe of ${directory} came from ${module}: run that file, with --out ${directory}`,
      reason
    ]
    return told.filter((line) => line !== undefined && line !== "").join("\n")
  }
}

/** A directory that would be overwritten. */
export class OutputExists extends Schema.TaggedError<OutputExists>()("OutputExists", {
  directory: Schema.String,
  found: Schema.Array(Schema.String)
}) {
  override get message() {
    const listed = this.found.slice(0, 5).join(", ") + (this.found.length > 5 ? ", ..." : "")
    return `${this.directory} is not empty (it has ${listed}); give a new or empty directory with --out`
  }
}

/** A run where a model is wanted: `models` are those that it exported. */
export class NotAModel extends Schema.TaggedError<NotAModel>()("NotAModel", {
  directory: Schema.String,
  models: Schema.Array(Schema.String)
}) {
  override get message() {
    const { directory, models } = this
    const advice =
      models.length > 0
        ? `its models are ${models.join(", ")}`
        : `it has exported none; "speedq export ${directory} --format packed" writes one`
    return `${directory} is a run, not a model; ${advice}`
  }
}

/** A port that a server cannot have. */
export class PortRefused extends Schema.TaggedError<PortRefused>()("PortRefused", {
  port: Schema.Int,
  reason: Schema.String
}) {
  override get message() {
    return `port ${this.port} of 127.0.0.1 ${this.reason}; give another one with --port, or 0 for a free one`
  }
}

/** There is nothing to merge, or answers of several models. */
export class NoShards extends Schema.TaggedError<NoShards>()("NoShards", {
  directory: Schema.String,
  benchmark: Schema.String,
  /** Of models that have shards there. */
  names: Schema.Array(Schema.String)
}) {
  override get message() {
    const { directory, benchmark, names } = this
    return names.length === 0
      ? `${directory} has no answers of shards on ${benchmark}; "speedq evaluate MODEL --shard 1/2 --out ${directory}" asks the first of two`
      : `${directory} has shards of ${names.join(", ")}; name one of them with --name`
  }
}

/** A model or run from which nothing can be exported. */
/** Lines of a conversation that nobody watches came to nothing. */
export class LinesUndone extends Schema.TaggedError<LinesUndone>()("LinesUndone", {
  lines: Schema.Int
}) {
  override get message(): string {
    const lines = this.lines === 1 ? "1 line was" : `${this.lines} lines were`
    return `${lines} not done, for the reasons above; the others were`
  }
}

export class NotExportable extends Schema.TaggedError<NotExportable>()("NotExportable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path} cannot be exported: ${this.reason}`
  }
}

/** The shipped nano model is not there. */
export class NanoMissing extends Schema.TaggedError<NanoMissing>()("NanoMissing", { directory: Schema.String }) {
  override get message() {
    return `the nano model is missing (${this.directory}); check it out again, or train it as data/nano/README.md describes`
  }
}

/** A plan that found something in the way; the plan itself says what. */
export class CannotRun extends Schema.TaggedError<CannotRun>()("CannotRun", { problems: Schema.Int }) {
  override get message() {
    return `the recipe cannot run here: ${formatCount(this.problems, "problem")} above`
  }
}

/** A check of data that found why a stage would end; the check itself says where. */
export class DataNotTrainable extends Schema.TaggedError<DataNotTrainable>()("DataNotTrainable", {
  problems: Schema.Int
}) {
  override get message() {
    return `the data cannot be trained on as it is: ${formatCount(this.problems, "problem")} above`
  }
}
