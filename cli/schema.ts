import { Argument, Command } from 'commander'
import { z } from 'zod'
import { jsonSchema } from '../config/schema.ts'
import { catalogue } from '../connectors/index.ts'
import { Event } from '../core/intake/event.ts'
import { sayJson } from './print.ts'

/** JSON Schema of the event, as it is published. */
export const eventSchema = () => ({
  title: 'Event of duress-bridge',
  ...z.toJSONSchema(Event, { target: 'draft-2020-12', unrepresentable: 'any' }),
})

/** JSON Schema of a config, for editors. */
export const configSchema = () => jsonSchema(catalogue)

export default new Command('schema')
  .summary('print a JSON Schema')
  .description(
    'Prints the JSON Schema of a config, for editors and checks elsewhere, or of the event that presses become. The schema of the HTTP API is at /v1/openapi.json of a running bridge.',
  )
  .addArgument(new Argument('[of]', 'what to describe').choices(['config', 'event']).default('config'))
  .addHelpText(
    'after',
    `
Examples:
  $ duress-bridge schema > site.schema.json
  $ duress-bridge schema event`,
  )
  .action((of: 'config' | 'event') => sayJson(of === 'event' ? eventSchema() : configSchema()))
