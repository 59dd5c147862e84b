import { XMLParser } from 'fast-xml-parser'

/** An element with its namespace resolved: what matters is the name, never the prefix. */
export interface Element {
  readonly namespace: string
  readonly name: string
  readonly attributes: { readonly [name: string]: string }
  readonly children: readonly Element[]
  /** Own text, trimmed. */
  readonly text: string
}

type Node = { readonly [key: string]: readonly Node[] | { readonly [name: string]: string } | string }

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  ignorePiTags: true,
  ignoreDeclaration: true,
})

const resolve = (node: Node, inherited: ReadonlyMap<string, string>): Element => {
  const tag = Object.keys(node).find((key) => key !== ':@') as string
  const attributes = (node[':@'] ?? {}) as { readonly [name: string]: string }
  const scope = new Map(inherited)
  for (const [name, value] of Object.entries(attributes))
    if (name === 'xmlns') scope.set('', value)
    else if (name.startsWith('xmlns:')) scope.set(name.slice(6), value)
  const [prefix, name] = tag.includes(':') ? (tag.split(':') as [string, string]) : ['', tag]
  const namespace = scope.get(prefix)
  if (prefix && namespace === undefined) throw new Error(`prefix ${prefix} is not declared`)
  const inner = node[tag] as readonly Node[]
  return {
    namespace: namespace ?? '',
    name,
    attributes,
    children: inner.filter((child) => !('#text' in child)).map((child) => resolve(child, scope)),
    text: inner
      .flatMap((child) => ('#text' in child ? [String(child['#text'])] : []))
      .join('')
      .trim(),
  }
}

/** Throws on anything that is not one well-formed element; SOAP forbids DTDs (SOAP 1.2 Part 1, 5). */
export const parseXml = (text: string): Element => {
  if (/<!DOCTYPE/i.test(text)) throw new Error('a document type is not allowed')
  const [root, ...more] = parser.parse(text, true) as Node[]
  if (!root || more.length > 0 || '#text' in root) throw new Error('not one element')
  return resolve(root, new Map())
}

export const child = (of: Element | undefined, namespace: string, name: string): Element | undefined =>
  of?.children.find((element) => element.namespace === namespace && element.name === name)

const escapes: { readonly [sign: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Text made safe for content and attributes. */
export const safe = (text: string): string => text.replace(/[&<>"]/g, (sign) => escapes[sign] as string)
