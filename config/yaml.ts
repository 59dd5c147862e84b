import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLError,
} from 'yaml'
import type { Problem } from '../core/site/explain.ts'

type Path = readonly (string | number)[]

/** Line and column, both from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A problem of the text itself, which no path leads to. */
interface TextProblem extends Position {
  readonly message: string
}

export interface Yaml {
  readonly value: unknown
  readonly problems: readonly TextProblem[]
  /** Whether `value` is what was meant, but for what the problems say; else nothing more can be told of it. */
  readonly sound: boolean
  /** Where a problem is: at the key for what is unknown, missing or a collection; else at the value. */
  locate(problem: Pick<Problem, 'path' | 'at'>): Position
}

/** Never the parser's own words where these quote the text: it may be a secret. */
const sentences: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'a text that starts with `*` refers to an anchor: put it in quotes',
  BAD_COLLECTION_TYPE: 'take the tag (`!…`) out',
  BAD_DIRECTIVE: 'take the line that starts with `%` out',
  BAD_DQ_ESCAPE:
    'unknown `\\` sequence in a text: write `\\\\` for the character itself, or use single quotes',
  BAD_INDENT: 'broken indentation: entries of one map or list start in the same column',
  BAD_SCALAR_START: 'a text that starts with this character must be put in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'two `key:` on one line: put the inner one on a line of its own, or the text in quotes',
  BLOCK_IN_FLOW: 'inside `{ }` and `[ ]` write everything with brackets and commas',
  KEY_OVER_1024_CHARS: 'the key is far too long',
  MISSING_CHAR: 'a quote, bracket, comma or `:` is missing here',
  MULTILINE_IMPLICIT_KEY: 'a `:` is missing after the key, or a quote is not closed',
  MULTIPLE_DOCS: 'a second document starts here (`---`): a config is one document',
  NON_STRING_KEY: 'a key must be a text',
  TAB_AS_INDENT: 'a tab stands here: indent with spaces',
  UNEXPECTED_TOKEN: 'this does not belong here: look for a missing quote, comma or bracket before it',
}

const maxNodes = 500_000
const maxDepth = 60

class Tree {
  readonly problems: TextProblem[] = []
  readonly #lines: LineCounter
  readonly #anchors = new Map<string, Node>()
  readonly #targets = new WeakMap<Node, Node>()
  readonly #open = new Set<Node>()
  #nodes = 0

  constructor(lines: LineCounter) {
    this.#lines = lines
  }

  at(node: unknown): Position {
    const { line, col } = this.#lines.linePos((node as Node | null)?.range?.[0] ?? 0)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }

  say(node: unknown, message: string): void {
    this.problems.push({ ...this.at(node), message })
  }

  /** The plain value of a node. Bounded: aliases may make a small text enormous. */
  value(node: unknown, depth = 0, repeated = false): unknown {
    if (node === null || node === undefined) return null
    const here = node as Node
    if (++this.#nodes > maxNodes) throw new RangeError('too many nodes')
    if (depth > maxDepth) throw new RangeError('too deep')
    if (isAlias(here)) return this.#alias(here, depth)
    if (here.tag && !repeated)
      this.say(here, 'take the tag (`!…`) out: a config has plain texts, numbers and booleans')
    if ('anchor' in here && here.anchor && !repeated) this.#anchors.set(here.anchor, here)
    if (isScalar(here)) return here.value
    this.#open.add(here)
    const value = isSeq(here)
      ? here.items.map((item) => this.value(item, depth + 1, repeated))
      : isMap(here)
        ? this.#map(here.items, depth, repeated)
        : null
    this.#open.delete(here)
    return value
  }

  #map(pairs: readonly Pair[], depth: number, repeated: boolean): object {
    const value: Record<string, unknown> = {}
    for (const pair of pairs) {
      const key = keyOf(pair)
      const inner = this.value(pair.value, depth + 1, repeated)
      if (key === '__proto__') this.say(pair.key, "`__proto__` can't be used as a name")
      else if (key === '<<') this.say(pair.key, '`<<` is not supported: write the fields out')
      else if (Object.hasOwn(value, key))
        this.say(pair.key, `\`${key.slice(0, 60)}\` stands twice in the same map: keep one`)
      else value[key] = inner
    }
    return value
  }

  #alias(alias: Node & { source: string }, depth: number): unknown {
    const target = this.#targets.get(alias) ?? this.#anchors.get(alias.source)
    if (!target) {
      this.say(alias, sentences['BAD_ALIAS']!)
      return null
    }
    this.#targets.set(alias, target)
    if (!this.#open.has(target)) return this.value(target, depth + 1, true)
    this.say(alias, 'this alias (`*…`) contains itself: write it out')
    return null
  }

  /** The node that an alias stands for, or the node itself. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? this.resolve(this.#targets.get(node)) : node
  }

  locate(root: unknown, path: Path, wantsKey: boolean): Position {
    let node = root
    let key: unknown = null
    for (const step of path) {
      const inside = this.resolve(node)
      const pair = isMap(inside) ? inside.items.find((item) => keyOf(item) === String(step)) : undefined
      const item = isSeq(inside) && typeof step === 'number' ? inside.items[step] : undefined
      if (!pair && item === undefined) return this.at(key ?? node)
      node = pair ? pair.value : item
      key = pair ? pair.key : null
    }
    const empty = isScalar(node) && node.value === null
    return this.at(key !== null && (wantsKey || empty || !isScalar(node)) ? key : (node ?? key))
  }
}

const keyOf = (pair: Pair): string => String(isScalar(pair.key) ? (pair.key.value ?? '') : pair.key)

/** Where the next line starts if it is further in: the parser takes it for a part of the value above it. */
const furtherIn = (text: string, at: number): number | null => {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at)
  const next = /^[^\n]*\n( *)[^\s:]/.exec(text.slice(at))
  const indented = next?.[1]?.length ?? 0
  return next && indented > line.search(/\S|$/) ? at + next[0].length - 1 : null
}

/** The parser's error in our words, at the character that is to be looked at. */
const explain = (error: YAMLError, text: string): { at: number; message: string } => {
  const [at] = error.pos
  if (error.code === 'BAD_INDENT' && error.message.startsWith('Flow'))
    return { at, message: 'a bracket is not closed before this line' }
  const below = furtherIn(text, at)
  if (below !== null && (error.code === 'BLOCK_AS_IMPLICIT_KEY' || error.code === 'MULTILINE_IMPLICIT_KEY'))
    return { at: below, message: 'broken indentation: further in than the line above, which is complete' }
  return { at, message: sentences[error.code] ?? 'this is not valid YAML' }
}

/** Reads a text as one document of YAML 1.2. Never throws. */
export const readYaml = (text: string): Yaml => {
  const lines = new LineCounter()
  const tree = new Tree(lines)
  const bad = (message: string): Yaml => ({
    value: null,
    problems: [{ line: 1, column: 1, message }],
    sound: false,
    locate: () => ({ line: 1, column: 1 }),
  })
  let document: Document
  let value: unknown
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false, // the library's own check takes the square of the number of keys; #map looks itself
      logLevel: 'error',
    })
    value = tree.value(document.contents)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return bad('nested too deeply, or aliases (`&`, `*`) make it far too large: write it out')
  }
  if (document.directives?.yaml.explicit)
    tree.say(document.contents, 'take the line `%YAML` out: it is read as YAML 1.2')
  const errors = [
    ...document.errors,
    ...document.warnings.filter(({ code }) => code !== 'TAG_RESOLVE_FAILED'),
  ]
  const sound = document.errors.length === 0
  const problems = errors.map((error) => {
    const { at, message } = explain(error, text)
    const { line, col } = lines.linePos(at)
    return { line: Math.max(1, line), column: Math.max(1, col), message }
  })
  return {
    value,
    problems: [...problems, ...tree.problems],
    sound,
    locate: ({ path, at }) => tree.locate(document.contents, path, at === 'key'),
  }
}
