import { createRequire } from 'node:module'
import type jsonata from 'jsonata'
import { messageOf } from '../../core/error.ts'
import type { Json } from '../../core/fact.ts'

/** One evaluation may take so long, ms, so deep, and make so many values; an answer is small. */
const bounds = { timeout: 100, stack: 200, sequence: 10_000 }

export interface Expression {
  /** Rejects when it can't be evaluated or takes too long; undefined when it finds nothing. */
  evaluate(input: Json, names: { readonly [name: string]: Json }): Promise<unknown>
}

let library: typeof jsonata | undefined

/**
 * Compiles a JSONata expression; throws what is wrong with it. The library is loaded by the first expression
 * only, and at once, so that a config without any never loads it and `check` can still judge all the others.
 */
export const compileExpression = (text: string): Expression => {
  library ??= createRequire(import.meta.url)('jsonata') as typeof jsonata
  return library(text, bounds)
}

/** What is wrong with an expression, in words; null when nothing is. */
export const syntaxProblem = (text: string): string | null => {
  try {
    compileExpression(text)
    return null
  } catch (error) {
    const { position, message } = error as { position?: number; message?: string }
    const at = position === undefined ? '' : ` at character ${position}`
    return `not JSONata${at}: ${message ?? messageOf(error)}`
  }
}
