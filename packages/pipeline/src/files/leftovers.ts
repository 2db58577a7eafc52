/** Files that a killed process left half written. */

/** Whether a name is one that is given to files on their way to their own. */
export const isLeftover = (name: string): boolean => name.startsWith(".") && name.endsWith(".tmp")
