import { expect, test } from 'vitest'
import { catalogue } from '../connectors/index.ts'
import { jsonSchema } from './schema.ts'

const schema = jsonSchema(catalogue)
const { connectors, devices, places } = schema['properties']

test('the schema knows the fields of each connector by its type', () => {
  const types = [...catalogue.keys()].filter((type) => type !== 'console')
  const connector = connectors.additionalProperties
  expect(connector.properties.type.oneOf.map((way: { const: string }) => way.const)).toEqual(types)
  const snpp = connector.allOf.find((rule: any) => rule.if.properties.type.const === 'snpp').then
  expect(snpp.additionalProperties).toBe(false)
  expect(snpp.required).toEqual(expect.arrayContaining(['type', 'host']))
  expect(snpp.properties.type).toEqual({ const: 'snpp' })
})

test('the schema describes what people write: durations as texts, defaults not required', () => {
  const { properties, required } = devices.additionalProperties
  expect(properties.test).toMatchObject({ type: 'string' })
  expect(required).toEqual(['connector'])
  expect(properties.input.anyOf.map((way: { title: string }) => way.title)).toContain('modbus')
})

test('every reference leads somewhere, and every field of ours is described', () => {
  const text = JSON.stringify(schema)
  for (const [, name] of text.matchAll(/"#\/\$defs\/([^"]+)"/g))
    expect(schema['$defs']).toHaveProperty([name!])
  expect(places.additionalProperties).toHaveProperty('$ref')
  const missing = (node: any, path: string): string[] =>
    Object.entries<any>(node.properties ?? {}).flatMap(([key, field]) => [
      ...(field.description || field.const !== undefined ? [] : [`${path}.${key}`]),
      ...missing(field, `${path}.${key}`),
    ])
  const { site, api, incidents } = schema['properties']
  for (const part of [site, api, incidents, devices.additionalProperties])
    expect(missing(part, '')).toEqual([])
})
