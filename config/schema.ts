import { z } from 'zod'
import type { Catalogue } from '../core/site/compile.ts'
import { SiteConfig } from '../core/site/config.ts'

import { ListFields } from './expand.ts'

type Schema = Record<string, any>

/** What a person writes: before defaults, and durations as texts. */
const toJson = (schema: z.ZodType): Schema =>
  z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12', unrepresentable: 'any', reused: 'inline' })

/** Moves the definitions of one schema into those of the whole, under names of its own. */
const adopt = (schema: z.ZodType, prefix: string, defs: Schema): Schema => {
  const text = JSON.stringify(toJson(schema)).replaceAll('"#/$defs/', `"#/$defs/${prefix}-`)
  const { $schema: _dialect, $defs, ...rest } = JSON.parse(text) as Schema
  for (const [name, definition] of Object.entries($defs ?? {})) defs[`${prefix}-${name}`] = definition
  return rest
}

/** A connector's own fields, and beside them those that all have. */
const withCommon = (schema: Schema, type: string, common: Schema): Schema => {
  for (const ways of ['anyOf', 'oneOf', 'allOf'])
    if (schema[ways])
      return { ...schema, [ways]: schema[ways].map((way: Schema) => withCommon(way, type, common)) }
  return {
    ...schema,
    properties: { ...common, type: { const: type }, ...schema['properties'] },
    required: ['type', ...(schema['required'] ?? [])],
  }
}

const connectorSchema = (catalogue: Catalogue, common: Schema, defs: Schema): Schema => {
  const configured = [...catalogue.values()].filter(({ type }) => type !== 'console')
  return {
    type: 'object',
    required: ['type'],
    properties: {
      ...common,
      type: {
        description: 'Kind of connector.',
        oneOf: configured.map(({ type, summary }) => ({ const: type, description: summary })),
      },
    },
    allOf: configured.map(({ type, config }) => ({
      if: { properties: { type: { const: type } }, required: ['type'] },
      then: withCommon(adopt(config, type, defs), type, common),
    })),
  }
}

const addressSchema = (
  catalogue: Catalogue,
  direction: 'input' | 'output',
  description: string,
  defs: Schema,
): Schema => {
  const ways = [...catalogue.values()].flatMap((connector) => {
    const schema = connector.type === 'console' ? undefined : connector[direction]
    return schema ? [{ title: connector.type, ...adopt(schema, `${connector.type}-${direction}`, defs) }] : []
  })
  return { description, anyOf: ways }
}

/** JSON Schema 2020-12 of a whole config, for editors; what connectors add comes from the catalogue. */
export const jsonSchema = (catalogue: Catalogue): Schema => {
  const defs: Schema = {}
  const whole = adopt(SiteConfig, 'site', defs)
  const { connectors, devices } = whole['properties']
  const { properties: common } = connectors.additionalProperties
  connectors.additionalProperties = connectorSchema(catalogue, common, defs)
  const { properties } = devices.additionalProperties
  Object.assign(properties, toJson(ListFields)['properties'])
  devices.propertyNames = { type: 'string', maxLength: 100 }
  properties.input = addressSchema(catalogue, 'input', properties.input.description, defs)
  properties.output = addressSchema(catalogue, 'output', properties.output.description, defs)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Config of duress-bridge',
    ...whole,
    $defs: defs,
  }
}
