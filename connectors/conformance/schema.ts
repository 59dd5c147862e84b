import { z } from 'zod'

interface Node {
  readonly type?: string
  readonly description?: string
  readonly properties?: { readonly [name: string]: Node }
  readonly additionalProperties?: boolean | Node
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
  readonly allOf?: readonly Node[]
}

/** What a schema lacks: fields without a sentence, objects that take unknown fields. */
export const lacksOf = (schema: z.ZodType, name: string): string[] => {
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Node
  const lacks: string[] = []
  const look = (node: Node, path: string): void => {
    if (node.properties && node.additionalProperties !== false) lacks.push(`${path} takes unknown fields`)
    for (const [field, inside] of Object.entries(node.properties ?? {})) {
      if (!inside.description?.trim()) lacks.push(`${path}.${field} is not described`)
      look(inside, `${path}.${field}`)
    }
    if (typeof node.additionalProperties === 'object') look(node.additionalProperties, `${path}.*`)
    if (node.items) look(node.items, `${path}[]`)
    for (const each of [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])]) look(each, path)
  }
  look(root, name)
  return lacks
}
