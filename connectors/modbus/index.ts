import { doorRelease, doorSecure, doorState, relaySet } from '../../core/capability.ts'
import { defineConnector } from '../../core/connector.ts'
import { check } from './check.ts'
import { Config, Input, Output } from './config.ts'
import { sharesOneLine } from './timing.ts'

const laneOf = (config: Config, unit: number): string => {
  if (config.line) return config.line.path
  const port = `${config.host}:${config.port}`
  return sharesOneLine(config) ? port : `${port}/${unit}`
}

export default defineConnector({
  type: 'modbus',
  summary:
    'Reads buttons, contacts and supervised loops from Modbus modules (TCP, or RTU on a serial line), and sets their relays.',
  module: import.meta.url,
  contract: 1,
  source: 'panic-panel',
  config: Config,
  input: Input,
  output: Output,
  can: [relaySet, doorState, doorSecure, doorRelease],
  // A unit that does not answer costs its socket; others behind the same gateway keep theirs. A line is one for all.
  link: (config, at) => (sharesOneLine(config) ? 'line' : `unit-${at.unit ?? config.unit}`),
  lane: (config, at) => ({ key: laneOf(config, at.unit ?? config.unit), atOnce: 1 }),
  offers: (_config, at) => (at.door ? ['door.state', 'door.secure', 'door.release'] : ['relay.set']),
  staleAfterMs: (config) => Math.max(3_000, config.poll * 5, config.timeout * 3),
  // Waiting for the turn, writing, reading back; a door has 3 s more to report.
  attemptMs: (config, capability) => config.timeout * 4 + (capability === 'door.secure' ? 3_500 : 1_000),
  check,
  open: async (opening, ctx) => (await import('./link.ts')).open(opening, ctx),
})
