/**
 * Whether the device is still there. WebGPU accepts calls on a device that is lost and does nothing, so every call asks first; and
 * what the device was to answer may never come, so nothing waits for its answer alone.
 */
import { DeviceLost } from "../../../core/Errors.ts"

export interface DeviceWatch {
  /** Raises DeviceLost once the device is gone. */
  readonly assertThere: () => void
  /** The device's answer; DeviceLost as soon as it is gone. */
  readonly orLost: <A>(answer: Promise<A>) => Promise<A>
}

/** Milliseconds within which a device that failed an answer says that it is lost. */
const notice = 200

/** `backend` is what errors name: the mode and its adapter. */
export const watchDevice = (device: Pick<GPUDevice, "lost">, backend: string): DeviceWatch => {
  let error: DeviceLost | undefined
  /** Those that wait for an answer: a promise that lives as long as the device would keep every one that was ever raced with it. */
  const waiting = new Set<(error: DeviceLost) => void>()
  const lost = device.lost.then(({ message }) => {
    error = new DeviceLost(backend, message)
    for (const reject of waiting) reject(error)
    waiting.clear()
  })
  const toldSoon = () => {
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, notice)
    })
    return Promise.race([lost, patience]).finally(() => clearTimeout(timer))
  }
  return {
    assertThere: () => {
      if (error !== undefined) throw error
    },
    orLost: (answer) =>
      new Promise((resolve, reject) => {
        if (error !== undefined) {
          answer.catch(() => {})
          return reject(error)
        }
        waiting.add(reject)
        const end = () => waiting.delete(reject)
        answer.then(
          (value) => {
            end()
            resolve(value)
          },
          // The reason of a failure that comes before the news of the loss is the loss.
          (reason) =>
            toldSoon().then(() => {
              end()
              reject(reason)
            })
        )
      })
  }
}
