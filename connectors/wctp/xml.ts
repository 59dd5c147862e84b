import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** One element: its text alone, or its attributes (`@name`), children and `#text`. Prefixes are gone. */
export type Xml = string | { readonly [name: string]: Xml | readonly Xml[] }

/** What came is no XML that we read. */
class NoXml extends Error {}

/** More tags than any message has. */
const tagsMax = 2_000

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  // The five entities and character references are decoded here, when a text is read: nothing can expand.
  processEntities: false,
  maxNestedTags: 30,
})

/** Bytes as text: by their byte order mark, by what their first bytes must be (XML 1.0, F.1), else UTF-8, else Latin-1. */
export const textOf = (bytes: Buffer): string => {
  const [first, second] = bytes
  const encoding =
    (first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)
      ? 'utf-16le'
      : (first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)
        ? 'utf-16be'
        : 'utf-8'
  try {
    return new TextDecoder(encoding, { fatal: encoding === 'utf-8' }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

/** Reads a document; throws NoXml for what is none, or more than a message needs. */
export const parseXml = (source: string): { root: Xml; doctype: boolean } => {
  const [, declared = '', doctype = '', rest = ''] =
    /^\s*(<\?xml[^>]*\?>)?\s*(?:<!--[^>]*-->\s*)?(<!DOCTYPE[^[\]>]*>)?(.*)$/s.exec(source) ?? []
  // A type is declared by reference only, and never looked up; what declares entities itself is no message.
  if (/<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)/i.test(rest))
    throw new NoXml('it declares a type of its own')
  const text = withoutCdata(rest).replace(/&(?!(?:\w{1,20}|#\d{1,7}|#x[0-9a-f]{1,6});)/gi, '&amp;')
  if (text.split('<', tagsMax + 2).length > tagsMax) throw new NoXml(`it has more than ${tagsMax} tags`)
  try {
    // The parser alone forgives a missing end.
    const valid = XMLValidator.validate(declared + text)
    if (valid !== true) throw new NoXml(`${valid.err.msg} (line ${valid.err.line})`)
    const root: unknown = parser.parse(text)
    if (typeof root === 'object' && root !== null) return { root: root as Xml, doctype: doctype !== '' }
  } catch (error) {
    throw new NoXml((error as Error).message.slice(0, 120))
  }
  throw new NoXml('it is empty')
}

const withoutCdata = (text: string): string => {
  const [first = '', ...more] = text.split('<![CDATA[')
  const parts = more.map((part) => {
    const end = part.indexOf(']]>')
    if (end < 0) throw new NoXml('a CDATA section does not end')
    return escapeXml(part.slice(0, end)) + part.slice(end + 3)
  })
  return first + parts.join('')
}

/** Names of the child elements. */
export const namesIn = (of: Xml): string[] =>
  typeof of === 'string' ? [] : Object.keys(of).filter((name) => !/^[@#]/.test(name))

/** All elements of this name, however deep. */
export const allIn = (of: Xml | undefined, name: string): Xml[] =>
  of === undefined || typeof of === 'string'
    ? []
    : namesIn(of).flatMap((child) => {
        const found = of[child] as Xml | readonly Xml[]
        const list = Array.isArray(found) ? (found as readonly Xml[]) : [found as Xml]
        return child === name ? list : list.flatMap((each) => allIn(each, name))
      })

export const attributeOf = (of: Xml | undefined, name: string): string | undefined => {
  if (of === undefined || typeof of === 'string' || !Object.hasOwn(of, `@${name}`)) return undefined
  const value = of[`@${name}`]
  return typeof value === 'string' ? decoded(value) : undefined
}

/** Every attribute, decoded. */
export const attributesOf = (of: Xml | undefined): Record<string, string> =>
  of === undefined || typeof of === 'string'
    ? {}
    : Object.fromEntries(
        Object.keys(of).flatMap((key) => {
          const value = key.startsWith('@') ? attributeOf(of, key.slice(1)) : undefined
          return value === undefined ? [] : [[key.slice(1), value.slice(0, 255)]]
        }),
      )

/** The text of an element and of all in it. */
export const wordsIn = (of: Xml): string => {
  if (typeof of === 'string') return decoded(of)
  const own = typeof of['#text'] === 'string' ? [decoded(of['#text'])] : []
  const inner = namesIn(of).flatMap((name) => {
    const found = of[name] as Xml | readonly Xml[]
    return (Array.isArray(found) ? (found as readonly Xml[]) : [found as Xml]).map(wordsIn)
  })
  return [...own, ...inner].join(' ')
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** Any other entity stays as it is written: its text must not be lost for it. */
const decoded = (text: string): string =>
  text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/g, (whole, name, decimal, hex) => {
    if (name !== undefined) return entities[name as string] ?? whole
    const code = decimal !== undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })

const escapes: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&quot;',
  "'": '&apos;',
}

/** Text made safe for an element or an attribute; what XML 1.0 (2.2) forbids becomes a space. */
export const escapeXml = (text: string): string =>
  text
    .toWellFormed()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, ' ')
    .replace(/[<>&"']/g, (char) => escapes[char] as string)
