import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Written } from './subject.ts'

const core = new URL('../../core/', import.meta.url).href

/** Imports the declaration in a process of its own, checks the opening, and prints what was loaded until then. */
const script = `
import { registerHooks } from 'node:module'
const loaded = []
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
const [module, written] = process.argv.slice(1)
const connector = (await import(module)).default
const { config, inputs = {}, outputs = {} } = JSON.parse(written)
const parsed = (schema, devices) =>
  new Map(Object.entries(devices).map(([name, device]) => [name, schema.parse(device)]))
connector.check?.({
  name: 'under-test',
  config: connector.config.parse(config),
  inputs: parsed(connector.input, inputs),
  outputs: parsed(connector.output, outputs),
})
console.log(JSON.stringify(loaded))
`

/** Every module that a check of the opening loads. */
export const loadedBy = async (module: string, written: Written): Promise<string[]> => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--no-warnings',
    '--input-type=module',
    '--eval',
    script,
    module,
    JSON.stringify(written),
  ])
  return JSON.parse(stdout) as string[]
}

/** The built-in modules that talk to somebody, or to the disk. */
const talks = /^node:(net|tls|http|https|http2|dgram|dns|child_process|worker_threads|fs)\b/

/** The part of `loaded` that a check has no need of: whatever talks, and the code of the link. */
export const needless = (loaded: readonly string[], module: string): string[] => {
  const folder = new URL('.', module).href
  return loaded.filter(
    (url) =>
      talks.test(url) ||
      (url.startsWith(folder) && /\/link\.[jt]s$/.test(url)) ||
      /\/node_modules\/(?:modbus-serial|undici|axios|onvif|mqtt|node-opcua|ws|fastify|bullmq|ioredis)\//.test(
        url,
      ),
  )
}

/** What the declaration's own `import` statements name that is neither zod, nor core, nor a neighbour. */
export const foreignImports = async (module: string): Promise<string[]> => {
  const source = await readFile(fileURLToPath(module), 'utf8')
  const named = [...source.matchAll(/^(?:import|export)\b(?!\s+type\b)[^'"]*?from\s+['"]([^'"]+)['"]/gm)].map(
    ([, name]) => name as string,
  )
  return named.filter((name) => {
    if (name === 'zod' || name.startsWith('./')) return false
    if (name.startsWith('.')) return !new URL(name, module).href.startsWith(core)
    return !/^[^:]+\/core\//.test(name)
  })
}

/** Where the code beside the declaration falls back on a value of its own, because the config has none. */
export const hiddenDefaults = async (module: string): Promise<string[]> => {
  const folder = fileURLToPath(new URL('.', module))
  const declaration = fileURLToPath(module).slice(folder.length)
  const names = (await readdir(folder, { recursive: true })).filter(
    (name) => name !== declaration && /\.[jt]s$/.test(name) && !/\.(test|d)\.[jt]s$/.test(name),
  )
  const found = await Promise.all(
    names.map(async (name) => {
      const source = await readFile(`${folder}${name}`, 'utf8')
      const fallbacks = source.matchAll(
        /\bconfig(?:\??\.\w+|\['[\w-]+'\])+\s*(?:\?\?|\|\|)\s*(?:[\d'"`]|true|false)[^\n]*/g,
      )
      return [...fallbacks].map(([text]) => `${name}: ${text}`)
    }),
  )
  return found.flat()
}
