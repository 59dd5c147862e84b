import { createRequire } from 'node:module'

/** Finds a pattern in a text: its named groups, or null. */
export type Find = (text: string) => Readonly<Record<string, string | null>> | null

/**
 * Compiles a pattern of an integrator by RE2: time in proportion to the text, whatever the pattern, since the text is anybody's
 * (ADR 0006). The one library of core beside zod, loaded with the first pattern. Throws what is wrong with the pattern.
 */
export const regex = (source: string): Find => {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof import('re2js')
  const compiled = RE2JS.compile(source)
  return (text) => {
    const matcher = compiled.matcher(text)
    return matcher.find() ? matcher.getNamedGroups() : null
  }
}
