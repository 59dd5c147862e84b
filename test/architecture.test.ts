import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { catalogue } from '../connectors/index.ts'
import { SiteConfig } from '../core/site/config.ts'
import { fieldsOf } from '../docs/fields.ts'
import { folderOf } from '../docs/generate.ts'

const root = join(import.meta.dirname, '..')

const list = (...args: string[]): string[] =>
  execFileSync('git', ['ls-files', ...args], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)

/** All files that are or will be part of the repository. */
const files = [...new Set([...list(), ...list('--others', '--exclude-standard')])]
const sources = files.filter((file) => file.endsWith('.ts'))
const texts = new Map(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')]))
const textOf = (file: string): string => texts.get(file) as string

/** Tests, and what only they use, may import everything. */
const isTest = (file: string): boolean => file.endsWith('.test.ts') || file.includes('/fixtures/')

interface Import {
  readonly file: string
  /** A path from the root, or the name of a package. */
  readonly from: string
  readonly isType: boolean
  readonly isDynamic: boolean
}

const statement = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm
const dynamic = /\bimport\(\s*'([^']+)'\s*\)|new URL\(\s*'(\.[^']+\.ts)'/g

const resolved = (file: string, from: string): string =>
  from.startsWith('.') ? normalize(join(dirname(file), from)) : from

const importsOf = (file: string): Import[] => [
  ...[...textOf(file).matchAll(statement)].map(([whole, type, from]) => ({
    file,
    from: resolved(file, from as string),
    isType: type !== undefined || /^(import|export)\s*\{(\s*type\s[^,}]+,?)+\s*\}/.test(whole),
    isDynamic: false,
  })),
  ...[...textOf(file).matchAll(dynamic)].map(([, from, url]) => ({
    file,
    from: resolved(file, (from ?? url) as string),
    isType: false,
    isDynamic: true,
  })),
]

const imports = sources.filter((file) => !isTest(file)).flatMap(importsOf)
const isPackage = (from: string): boolean => !from.endsWith('.ts') && !from.startsWith('node:')
const isIn = (folder: string, path: string): boolean => path.startsWith(`${folder}/`)
const broken = (rule: (one: Import) => boolean): string[] =>
  imports.filter(rule).map(({ file, from }) => `${file} imports ${from}`)

describe('the import law', () => {
  test('the parser sees the imports that are there', () => {
    expect(imports.length).toBeGreaterThan(200)
    expect(imports).toContainEqual({
      file: 'connectors/snpp/index.ts',
      from: 'connectors/snpp/link.ts',
      isType: false,
      isDynamic: true,
    })
  })

  test('core imports itself, zod and Node; one file each the library for patterns (ADR 0006) and the queue', () => {
    const allowed: { readonly [file: string]: readonly string[] } = {
      'core/intake/regex.ts': ['re2js'],
      'core/runner/redis.ts': ['bullmq', 'ioredis'],
    }
    const law = ({ file, from }: Import): boolean => {
      if (!isIn('core', file) || isIn('core', from) || from === 'zod' || from.startsWith('node:'))
        return false
      return !allowed[file]?.includes(from)
    }
    expect(broken(law)).toEqual([])
  })

  test('a connector imports itself, core and packages, never another connector', () => {
    const law = ({ file, from }: Import): boolean => {
      const [top, folder, ...rest] = file.split('/')
      if (top !== 'connectors' || rest.length === 0) return false
      return from.endsWith('.ts') && !isIn('core', from) && !isIn(`connectors/${folder}`, from)
    }
    expect(broken(law)).toEqual([])
  })

  test('a declaration loads no protocol stack: its packages are zod and the expression language', () => {
    const closure = (file: string, seen: Set<string>): Set<string> => {
      if (seen.has(file)) return seen
      seen.add(file)
      if (!texts.has(file)) return seen
      for (const { from, isType, isDynamic } of importsOf(file))
        if (!isType && !isDynamic) closure(from, seen)
      return seen
    }
    for (const [type, connector] of catalogue) {
      const loaded = [...closure(`${folderOf(connector)}/index.ts`, new Set())]
      expect({
        type,
        packages: loaded.filter(isPackage).filter((name) => name !== 'zod' && name !== 'jsonata'),
      }).toEqual({
        type,
        packages: [],
      })
      expect(loaded).not.toContain(`${folderOf(connector)}/link.ts`)
    }
  })

  test('mocks import types of core and nothing else of ours', () => {
    const law = ({ file, from, isType }: Import): boolean =>
      isIn('mocks', file) && from.endsWith('.ts') && !isIn('mocks', from) && !(isIn('core', from) && isType)
    expect(broken(law)).toEqual([])
  })

  test.each(['api', 'config'])('%s imports itself, core and packages', (folder) => {
    const law = ({ file, from }: Import): boolean =>
      isIn(folder, file) && from.endsWith('.ts') && !isIn(folder, from) && !isIn('core', from)
    expect(broken(law)).toEqual([])
  })

  test('a new top folder gets a law of its own; command line, containers, documentation and tests import everything', () => {
    const tops = new Set(sources.map((file) => file.split('/')[0]))
    const known = [
      'api',
      'cli',
      'config',
      'connectors',
      'core',
      'docker',
      'docs',
      'main.ts',
      'mocks',
      'test',
      'vitest.config.ts',
    ]
    expect([...tops].filter((top) => !known.includes(top as string))).toEqual([])
  })
})

describe('names', () => {
  const forbidden = /^(utils?|helpers?|managers?|handlers?|services?|jobs?|alerts?)$/

  test('no file and no folder is named for nothing in particular', () => {
    // Fixtures are named for the message of the protocol that they hold, and systemd wants the ending of its units.
    const named = files
      .filter((file) => !file.includes('/fixtures/'))
      .map((file) => file.replace(/\.service$/, ''))
    const bad = named.filter((file) =>
      file.split(/[/.]/).some((part) => part.split(/[-_]/).some((word) => forbidden.test(word))),
    )
    expect(bad).toEqual([])
  })

  test('neither is anything that is declared', () => {
    const declared =
      /^\s*(?:export )?(?:default )?(?:abstract )?(?:class|function|const|let|interface|type) (\w+)/gm
    // What ONVIF and Web Services Security call a service and a utility has these names.
    const ofProtocols = /^(connectors\/onvif|mocks\/onvif|mocks\/onvif-camera|mocks\/onvif-door)\//
    const bad = sources
      .filter((file) => !ofProtocols.test(file))
      .flatMap((file) =>
        [...textOf(file).matchAll(declared)]
          .map(([, name]) => name as string)
          .filter((name) => name.split(/(?=[A-Z])|_/).some((word) => forbidden.test(word.toLowerCase())))
          // SNPP gateways on fax servers answer with the number of what they call a job.
          .filter((name) => !(file === 'connectors/snpp/codec.ts' && name === 'jobOf'))
          .map((name) => `${file}: ${name}`),
      )
    expect(bad).toEqual([])
  })
})

describe('size', () => {
  const linesMax = 400
  /** May only shrink. */
  const long: { readonly [file: string]: string } = {
    'core/plan/plan.ts': 'every command that an incident should have, as one table of cases',
    'config/broken.test.ts': 'one table of every kind of broken config',
    'connectors/modbus/modbus.test.ts': 'one behaviour of the panel after the other',
    'connectors/webhook/webhook.test.ts': 'one kind of sender after the other',
  }
  const lines = (file: string): number => textOf(file).split('\n').length - 1

  test(`a file has at most ${linesMax} lines, but for those with a reason`, () => {
    expect(sources.filter((file) => lines(file) > linesMax && !(file in long))).toEqual([])
  })

  test('a file that has become short leaves the list', () => {
    expect(Object.keys(long).filter((file) => !texts.has(file) || lines(file) <= linesMax)).toEqual([])
  })
})

test('time is read from the clock only', () => {
  const time = /\b(Date\.now|performance\.now|setInterval|(?<!\.)setTimeout)\(|new Date\(\)/
  const bad = sources.filter(
    (file) =>
      (isIn('core', file) || isIn('connectors', file)) &&
      !isTest(file) &&
      file !== 'core/clock.ts' &&
      // The kit is a test: it measures connectors in real time.
      !isIn('connectors/conformance', file) &&
      time.test(textOf(file)),
  )
  expect(bad).toEqual([])
})

describe('every field of a config is described', () => {
  test.each([...catalogue.values()].map((connector) => [connector.type, connector] as const))(
    '%s',
    (_type, connector) => {
      const fields = [connector.config, connector.input, connector.output].flatMap((schema) =>
        schema ? fieldsOf(schema) : [],
      )
      expect(fields.filter(({ description }) => description === '').map(({ name }) => name)).toEqual([])
    },
  )

  test('the site', () => {
    expect(
      fieldsOf(SiteConfig)
        .filter(({ description }) => description === '')
        .map(({ name }) => name),
    ).toEqual([])
  })
})

test('a connector is a folder with fixed file names', () => {
  // The screens and the phones have no wire of their own: both are the API's.
  const wireless = ['console', 'mobile']
  for (const [type, connector] of catalogue)
    for (const name of wireless.includes(type)
      ? ['index.ts', 'README.md']
      : ['index.ts', 'link.ts', 'README.md'])
      expect(files).toContain(`${folderOf(connector)}/${name}`)
})

describe('the lock file', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8')

  test('names no registry, so that it installs from any', () => {
    expect(text).not.toMatch(/"resolved":\s*"https?:/)
  })

  test('has the packages of every platform, without which `npm ci` refuses it', () => {
    const { packages } = JSON.parse(text) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>
    }
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      ),
    )
    expect(missing).toEqual([])
  })
})

test('nothing is left undone or skipped', () => {
  const undone = /\b(TODO|FIXME|XXX)\b|\b(test|it|describe)\.(skip|todo|only)\b/
  const bad = sources.filter((file) => basename(file) !== 'architecture.test.ts' && undone.test(textOf(file)))
  expect(bad).toEqual([])
})
