import { isCarried } from './ground.ts'
import type { Times } from './times.ts'

/** What a fault leaves behind in the bridge: its start, its queue, open breakers and pauses, ms. */
export const recoveryMs = { bridge: 4_000, target: 6_500 }

const bridgeFaults = /^(kill-bridge|kill-all|stop-bridge|full-disk)$/
/** Of the group itself, or of the wire to it. */
const targetFaults = /^(target|wire)-/
/** What carries commands to workers. */
const carrierFaults = /worker|redis|kill-all/
const redisWires = /-redis$/

/** Whether the bridge itself, or the way to a group, was not well between two moments, or just before. */
export const isDisturbed = (times: Times, group: string, from: number, to: number): boolean =>
  times.hasFault(bridgeFaults, null, from - recoveryMs.bridge, to) ||
  times.hasFault(targetFaults, group, from - recoveryMs.target, to)

/** Whether the group's commands go to workers, and Redis, a worker or a wire between was not well, or just before. */
export const isCarriedBadly = (times: Times, group: string, from: number, to: number): boolean =>
  isCarried(group) &&
  times.windows.some(
    (window) =>
      (carrierFaults.test(window.kind) || redisWires.test(window.on)) &&
      window.from <= to &&
      window.to >= from - recoveryMs.bridge,
  )
