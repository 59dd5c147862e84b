import { parentPort, workerData } from 'node:worker_threads'
import { SystemClock } from '../clock.ts'
import { type BridgeError, messageOf } from '../error.ts'
import { Disk, type DiskOptions } from './disk.ts'
import { release } from './journal.ts'
import { answer, type Request } from './transport.ts'

/** The store's thread: one request after the other. */
const clock = new SystemClock()
const disk = new Disk(workerData as DiskOptions, () => clock.mono())
const port = parentPort!

const fail = (id: number, error: unknown) =>
  port.postMessage({ id, error: messageOf(error), code: (error as Partial<BridgeError>).code })

let isToTidy = false
/** Once what has been asked is answered. */
const tidyLater = () => {
  if (isToTidy) return
  isToTidy = true
  setImmediate(() => {
    isToTidy = false
    disk.tidy()
  })
}

port.on('message', ({ id, request }: { id: number; request: Request }) => {
  try {
    const value = answer(disk, request)
    if (request.do === 'write') {
      for (const part of request.parts) release(part)
      tidyLater()
    }
    if (!(value instanceof Promise)) return port.postMessage({ id, value })
    value.then(
      (value) => port.postMessage({ id, value }),
      (error) => fail(id, error),
    )
  } catch (error) {
    fail(id, error)
  }
})
