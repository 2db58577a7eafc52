/** Tests wait for less than people do; a loaded machine must not be taken for a dead one, either. */
export const testTimes = { silentMilliseconds: 6000, pollMilliseconds: 40 }
export const testPatience = { milliseconds: 4000 }
