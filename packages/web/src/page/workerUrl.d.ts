/** The address of a worker's script, as the bundler gives it. */
declare module "*?worker&url" {
  const url: string
  export default url
}
