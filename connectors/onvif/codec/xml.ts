import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { BridgeError, messageOf } from '../../../core/error.ts'

/** One element: its text alone, or its attributes (`@name`), children and `#text`. Prefixes are gone: devices choose their own. */
export type Xml = string | { readonly [name: string]: Xml | readonly Xml[] }

/** More tags, or attributes, than any honest answer has; parsing them would hold up everybody else (0.1 s at the limit). */
const mostMarkup = 20_000

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  // We decode the five entities and character references ourselves, when a text is read: nothing can expand.
  processEntities: false,
  maxNestedTags: 60,
})

/** Reads a whole document and returns its root's content by name; BAD_ANSWER for anything that is not well-formed. */
export const parseXml = (source: string): Xml => {
  const text = source.replace(/^\ufeff/, '').trim()
  // SOAP 1.2 part 1, 5: a message must not contain a document type declaration.
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw bad('it contains a document type declaration')
  if (exceeds(text, '<') || exceeds(text, '=')) throw bad(`it has more than ${mostMarkup} tags or attributes`)
  try {
    // The parser alone forgives a missing end: a cut-off "Locked" would pass for an answer.
    const valid = XMLValidator.validate(text)
    if (valid !== true) throw new Error(`${valid.err.msg} (line ${valid.err.line})`)
    const root: unknown = parser.parse(text)
    if (typeof root === 'object' && root !== null) return root as Xml
  } catch (error) {
    throw bad(messageOf(error).slice(0, 120))
  }
  throw bad('it is empty')
}

const bad = (why: string): BridgeError =>
  new BridgeError('BAD_ANSWER', `the answer is not usable XML: ${why}. Is this an ONVIF device?`)

const exceeds = (text: string, sign: string): boolean => {
  let count = 0
  for (let at = text.indexOf(sign); at >= 0; at = text.indexOf(sign, at + 1))
    if (++count > mostMarkup) return true
  return false
}

/** All children of this name, none, one or many. */
export const all = (of: Xml | undefined, name: string): readonly Xml[] => {
  if (of === undefined || typeof of === 'string' || !Object.hasOwn(of, name)) return []
  const found = of[name] as Xml | readonly Xml[]
  return isList(found) ? found : [found]
}

const isList = (found: Xml | readonly Xml[]): found is readonly Xml[] => Array.isArray(found)

/** The first element at the end of a path of names. */
export const one = (of: Xml | undefined, ...path: readonly string[]): Xml | undefined => {
  let at = of
  for (const name of path) at = all(at, name)[0]
  return at
}

/** The text at the end of a path, decoded and trimmed; undefined when there is no such element. */
export const textOf = (of: Xml | undefined, ...path: readonly string[]): string | undefined => {
  const found = one(of, ...path)
  if (found === undefined) return undefined
  const raw = typeof found === 'string' ? found : one(found, '#text')
  return typeof raw === 'string' ? decode(raw).trim() : ''
}

export const attributeOf = (of: Xml | undefined, name: string): string | undefined => textOf(of, `@${name}`)

/** xs:boolean: true, false, 1, 0; undefined for anything else. */
export const booleanOf = (text: string | undefined): boolean | undefined =>
  text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined

/** Names of the children, attributes and text left out. */
export const childNames = (of: Xml | undefined): readonly string[] =>
  of === undefined || typeof of === 'string' ? [] : Object.keys(of).filter((name) => !/^[@#]/.test(name))

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

const decode = (text: string): string =>
  text.replace(/&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9a-f]{1,6}));/gi, (whole, name, decimal, hex) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole
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

/** Text made safe for an element or an attribute; characters that XML 1.0 (2.2) forbids are dropped. */
export const escapeXml = (text: string): string =>
  [...text]
    .filter((char) => {
      const code = char.codePointAt(0) as number
      return code >= 0x20 ? code < 0xd800 || code > 0xdfff : code === 9 || code === 10 || code === 13
    })
    .join('')
    .replace(/[<>&"']/g, (char) => escapes[char] as string)
