/** The version of the command: all packages of the repository share it. */
export const version = "0.1.0"
