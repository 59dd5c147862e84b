import type { Regex } from '../../../core/intake/text.ts'

/** RE2: linear in the text, whatever integrators write. Loaded with the first pattern: a declaration costs nothing. */
export const regex: Regex = (source) => {
  const { RE2JS } = process.getBuiltinModule('node:module').createRequire(import.meta.url)(
    're2js',
  ) as typeof import('re2js')
  const pattern = RE2JS.compile(source)
  return (text) => {
    const match = pattern.matcher(text)
    return match.find() ? match.getNamedGroups() : null
  }
}
