import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { configSchema, eventSchema } from '../cli/schema.ts'
import { ListFields } from '../config/expand.ts'
import { catalogue } from '../connectors/index.ts'
import type { Connector } from '../core/connector.ts'
import { errors } from '../core/error.ts'
import { SiteConfig } from '../core/site/config.ts'
import { type Field, fieldsOf } from './fields.ts'

const root = join(import.meta.dirname, '..')

/** The folder of a connector, from the root: where its declaration stands. A protocol of two has one within the other. */
export const folderOf = ({ module }: Connector): string => relative(root, dirname(fileURLToPath(module)))

const begin = '<!-- generated:config -->'
const end = '<!-- /generated -->'

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const tableOf = (fields: readonly Field[]): string =>
  [
    '| Field | What to write | Default | Meaning |',
    '| --- | --- | --- | --- |',
    ...fields.map(({ name, type, required, fallback, description }) => {
      const or = required ? '**required**' : fallback === '' ? '' : `\`${fallback}\``
      return `| \`${name}\` | ${cell(type)} | ${cell(or)} | ${cell(description)} |`
    }),
  ].join('\n')

const sectionOf = (title: string, schema: z.ZodType | undefined): string[] => {
  if (!schema) return []
  const fields = fieldsOf(schema)
  return [`**${title}**`, fields.length === 0 ? 'No fields.' : tableOf(fields)]
}

/** What stands between the marks of a connector's README. */
export const connectorTables = ({ config, input, output, can }: Connector): string =>
  [
    ...sectionOf('The connector, under `connectors:`', config),
    ...sectionOf('Inputs, under `input:` of a device', input),
    ...sectionOf('Outputs, under `output:` of a device or in `page:` of a responder', output),
    ...(can
      ? [
          `Capabilities: ${can.map(({ name, summary }) => `\`${name}\` (${summary.replace(/\.$/, '')})`).join('; ')}.`,
        ]
      : ['It takes presses in, and acts on nothing.']),
  ].join('\n\n')

const withTables = (readme: string, connector: Connector): string => {
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md of ${connector.type} has no ${begin} … ${end}`)
  return `${readme.slice(0, from)}${begin}\n\n${connectorTables(connector)}\n\n${readme.slice(to)}`
}

const errorsPage = (): string => `# Error codes

Generated from \`core/error.ts\` by \`npm run docs\`. Every error, failed outcome and HTTP answer carries one of these codes;
its message says what and where.

| Code | Means | What to do |
| --- | --- | --- |
${Object.entries(errors)
  .map(([code, { means, do: todo }]) => `| \`${code}\` | ${cell(means)} | ${cell(todo)} |`)
  .join('\n')}
`

const configPage = (): string => {
  const fields = fieldsOf(SiteConfig)
  const sections = Object.keys(SiteConfig.shape).map((name) => {
    const head = fields.find((field) => field.name === name)
    const inner = fields.filter((field) => field.name.startsWith(`${name}.`))
    return [`## \`${name}\``, head?.description ?? '', ...(inner.length > 0 ? [tableOf(inner)] : [])].join(
      '\n\n',
    )
  })
  const types = [...catalogue.values()]
    .filter(({ type }) => type !== 'console')
    .map(
      (connector) =>
        `[\`${connector.type}\`](../${folderOf(connector)}/README.md) (${connector.summary.replace(/\.$/, '')})`,
    )
  return `# The config

Generated from the schemas by \`npm run docs\`. One YAML file describes a site. \`duress-bridge check FILE\` reads it whole and
says everything that is wrong with it, with line and column; \`duress-bridge schema\` prints its JSON Schema for editors. A
whole example is [config/demo/site.yaml](../config/demo/site.yaml).

- A **duration** is a number and a unit: \`50ms\`, \`30s\`, \`15m\`, \`8h\`, \`30d\`.
- A **secret** is a reference, never the secret itself: \`{ env: NAME }\` for an environment variable, \`{ file: PATH }\` for a
  file of one line.
- A **place** is named by its path from the top: \`north/l2/ed/triage-2\`.
- \`*\` stands for a name of yours, \`[]\` for each entry of a list.
- Connectors have types, each with fields of its own: ${types.join(', ')}.

${sections.join('\n\n')}

## Many devices in one entry

An entry of \`devices\` is a template where its name or its texts hold a range, or where it has \`from\`:

~~~yaml
devices:
  ward-{1..16}: { connector: panel, input: { discrete: "{20..35}" }, place: "north/l3/room-{1..16}" }
  badge: { from: badges.csv, connector: badges, input: { id: "{tag}" }, person: "{employee}", role: "{job}", until: "{end}" }
~~~

All ranges of an entry have the same length; a text that is nothing but a range becomes a number. Of a list, the first line
names the columns; a finding says the line of the list. Who carries what is not part of the config that is stored: it is an
assignment, dated by \`since\`, that a newer one replaces, whether it comes from the list or from the API.

${tableOf(fieldsOf(ListFields).map((field) => ({ ...field, name: `devices.*.${field.name}` })))}
`
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Every generated file with the text that it should have. */
export const generated = (): ReadonlyMap<string, string> => {
  const files = new Map<string, string>([
    ['config/schema.json', json(configSchema())],
    ['docs/event.schema.json', json(eventSchema())],
    ['docs/errors.md', errorsPage()],
    ['docs/config.md', configPage()],
  ])
  for (const connector of catalogue.values()) {
    const path = join(folderOf(connector), 'README.md')
    files.set(path, withTables(readFileSync(join(root, path), 'utf8'), connector))
  }
  return files
}

const textOf = (path: string): string | null =>
  existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : null

if (import.meta.main) {
  const stale = [...generated()].filter(([path, text]) => textOf(path) !== text)
  if (!process.argv.includes('--check'))
    for (const [path, text] of stale) writeFileSync(join(root, path), text)
  else if (stale.length > 0) {
    process.stderr.write(`stale, run \`npm run docs\`: ${stale.map(([path]) => path).join(', ')}\n`)
    process.exit(1)
  }
}
