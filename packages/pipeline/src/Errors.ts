/** Everything that can go wrong in a run, one class each: what happened, where, with which numbers, and what to do. */
import { inspect } from "node:util"
import { type RefusalReason, refusalReasons, refusalText, type SafetensorsInvalid } from "@speedq/formats"
import * as Schema from "effect/Schema"
import { obstacleText } from "./stage/Forecast.ts"

const whatToDo = (reason: RefusalReason): string => {
  const { what, fix } = refusalText(reason)
  return `${what}; ${fix}`
}

/** The file system refused: the disk is full, the directory is read-only, a file vanished. */
export class StorageFailed extends Schema.TaggedError<StorageFailed>()("StorageFailed", {
  doing: Schema.String,
  path: Schema.String,
  reason: Schema.Literals([...refusalReasons, "missing", "other"]),
  detail: Schema.String
}) {
  override get message() {
    const advice =
      this.reason === "other"
        ? this.detail
        : this.reason === "missing"
          ? "no such file or directory; restore it, or run with --fresh to start over"
          : whatToDo(this.reason)
    return `could not ${this.doing} (${this.path}): ${advice}. What was saved before is intact.`
  }
}

/** Another process writes this directory. */
export class RunLocked extends Schema.TaggedError<RunLocked>()("RunLocked", {
  directory: Schema.String,
  lockFile: Schema.String,
  pid: Schema.Int,
  host: Schema.String,
  since: Schema.String,
  command: Schema.String,
  thisHost: Schema.Boolean
}) {
  override get message() {
    const owner =
      this.pid === 0
        ? "another process, which has not written its name"
        : `process ${this.pid} on ${this.host} since ${this.since} (${this.command})`
    const advice = this.thisHost
      ? `stop it with "kill -INT ${this.pid}" and run again, or choose another directory`
      : `stop it where it runs, or choose another directory. If it has ended, delete ${this.lockFile}, or wait: a lock that is not renewed for ten minutes is taken over`
    return `${this.directory} is being written by ${owner}: ${advice}`
  }
}

/** The lock of this directory was taken away while this process was writing. */
export class LockLost extends Schema.TaggedError<LockLost>()("LockLost", {
  directory: Schema.String,
  owner: Schema.String
}) {
  override get message() {
    return `${this.directory} no longer belongs to this process (its lock now says: ${this.owner}); this process writes nothing more. Run only one process per directory.`
  }
}

/** The directory holds something that is not a run. */
export class NotARunDirectory extends Schema.TaggedError<NotARunDirectory>()("NotARunDirectory", {
  directory: Schema.String,
  found: Schema.Array(Schema.String)
}) {
  override get message() {
    const listed = this.found.slice(0, 5).join(", ") + (this.found.length > 5 ? ", ..." : "")
    return `${this.directory} is not empty and holds no run (it has ${listed}); give a new or empty directory`
  }
}

/** A saved file is not what was written: cut, changed, or not readable as what it should be. */
export class SavedFileDamaged extends Schema.TaggedError<SavedFileDamaged>()("SavedFileDamaged", {
  file: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.file} is damaged: ${this.detail}`
  }
}

export const RecipeProblem = Schema.Struct({ path: Schema.String, issue: Schema.String })
export type RecipeProblem = typeof RecipeProblem.Type

/** A recipe does not decode, or its stages are in an order that cannot work. All problems at once. */
export class RecipeInvalid extends Schema.TaggedError<RecipeInvalid>()("RecipeInvalid", {
  problems: Schema.Array(RecipeProblem)
}) {
  override get message() {
    return [
      "the recipe is not valid:",
      ...this.problems.map(({ path, issue }) => `  ${path === "" ? "" : `${path}: `}${issue}`)
    ].join("\n")
  }
}

export const PreflightProblem = Schema.Struct({
  /** As its directory is called, `08-qat`; several with commas, or "all". */
  stage: Schema.String,
  issue: Schema.String,
  /** What to do about it; left out where the issue says that, too. */
  fix: Schema.optionalKey(Schema.String)
})
export type PreflightProblem = typeof PreflightProblem.Type

/** `stage: issue; fix` */
export const problemText = ({ stage, ...obstacle }: PreflightProblem): string => `${stage}: ${obstacleText(obstacle)}`

/** The run cannot succeed on this machine as it is. All problems at once, before any work. */
export class PreflightFailed extends Schema.TaggedError<PreflightFailed>()("PreflightFailed", {
  problems: Schema.Array(PreflightProblem)
}) {
  override get message() {
    const lines = this.problems.map((problem) => `  ${problemText(problem)}`)
    return ["the run cannot start:", ...lines].join("\n")
  }
}

/** A number that a stage reports for a step is NaN or infinite. */
export class NonFiniteMetric extends Schema.TaggedError<NonFiniteMetric>()("NonFiniteMetric", {
  step: Schema.Int,
  metric: Schema.String,
  value: Schema.String
}) {
  override get message() {
    return `${this.metric} is ${this.value} after step ${this.step}; lower the learning rate or check the data of this step`
  }
}

/** The message of whatever was raised; an error that came through a copy, from a worker or a test runner, is a plain object. */
const messageOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "message" in cause ? String(cause.message) : inspect(cause)

/** A stage stopped. `cause` is the stage's own error, unchanged; `saved` is the step of its newest saved state, 0 without one. */
export class StageFailed extends Schema.TaggedError<StageFailed>()("StageFailed", {
  /** As its directory is called: `08-qat`. */
  stage: Schema.String,
  step: Schema.Int,
  steps: Schema.Int,
  saved: Schema.Int,
  cause: Schema.Unknown
}) {
  override get message() {
    const said = `stage ${this.stage} stopped at step ${this.step} of ${this.steps}: ${messageOf(this.cause)}`
    if (this.saved === 0) return said
    return `${said.replace(/\.$/, "")}. Step ${this.saved} is saved: the same command continues after it.`
  }
}

/** What can stop any stage, besides errors of its own. */
export type StageFault = NonFiniteMetric | SavedFileDamaged | StorageFailed | LockLost | SafetensorsInvalid

/** `StageFailed` whose cause is known: an error of the stage itself, or one that any stage can have. */
export type StageFailedWith<E> = StageFailed & { readonly cause: E | StageFault }
