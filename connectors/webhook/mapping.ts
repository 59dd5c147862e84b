import jsonata from 'jsonata'
import { BridgeError } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'
import { fromCloudEvents, fromPress } from './codec.ts'
import type { Config } from './index.ts'

/** Bounds of one JSONata evaluation: an expression may meet any body. Time in ms, depth in calls, length of a list. */
const bounds = { timeout: 50, stack: 200, sequence: 10_000 }

/** Makes presses of a body, still to be validated. */
export type Make = (payload: Json) => unknown

/** The named profiles are plain functions: JSONata costs a hundred times as much. */
export const makerOf = (config: Config): Make => {
  if (config.map === undefined) return config.profile === 'cloudevents' ? fromCloudEvents : fromPress
  const expression = jsonata(config.map, bounds)
  return async (payload) => {
    try {
      return await expression.evaluate(payload)
    } catch (error) {
      // JSONata throws objects that are no errors.
      const { message, position } = error as { message?: string; position?: number }
      const where = position === undefined ? '' : ` at character ${position}`
      throw new BridgeError('BAD_REQUEST', `the \`map\` fails on this body${where}: ${message ?? 'unknown'}`)
    }
  }
}
