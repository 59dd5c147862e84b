import { createRequire } from 'node:module'
import type { Regex } from '../../core/intake/text.ts'

/** RE2: time in proportion to the text, whatever the pattern. Loaded only where there are patterns. */
export const regex: Regex = (source) => {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js')
  const compiled = RE2JS.compile(source)
  return (text) => {
    const matcher = compiled.matcher(text)
    return matcher.find() ? matcher.getNamedGroups() : null
  }
}
