import { didYouMean } from '../suggest.ts'
import { advice, type Check, fatal } from './subject.ts'

/** A connector runs on workers that there are, and has outputs for them. */
export const workersExist: Check = ({ config, site }) => {
  const known = Object.keys(config.queue?.workers ?? {})
  return [...site.connectors.values()].flatMap(({ name, connector, runsOn }) => {
    if (runsOn.length === 0) return []
    const at = ['connectors', name, 'runs-on']
    const isList = Array.isArray(config.connectors[name]?.['runs-on'])
    const unknown = runsOn.flatMap((worker, index) => {
      if (known.includes(worker)) return []
      const message =
        known.length === 0
          ? `there is no worker \`${worker}\`: name it and its key under \`queue.workers\``
          : `there is no worker \`${worker}\`: ${didYouMean(worker, known)}`
      return fatal(isList ? [...at, index] : at, message)
    })
    const actless = (connector.can ?? []).length === 0
    return actless
      ? [
          ...unknown,
          fatal(at, `\`${connector.type}\` only hears: inputs live in the bridge, take \`runs-on\` out`),
        ]
      : unknown
  })
}

export const workersAreUsed: Check = ({ config, site, extent }) => {
  if (!config.queue || !extent.complete('connectors')) return []
  const used = new Set([...site.connectors.values()].flatMap(({ runsOn }) => runsOn))
  return Object.keys(config.queue.workers)
    .filter((worker) => !used.has(worker))
    .map((worker) =>
      advice(
        ['queue', 'workers', worker],
        `nothing runs on \`${worker}\`: no connector names it in \`runs-on\``,
        'key',
      ),
    )
}

/** What others wrote is kept away from the alarm path, and is not on workers. */
export const extensionsAreIsolated: Check = ({ site }) =>
  [...site.connectors.values()].flatMap(({ name, connector, isolate, runsOn }) => {
    if (!connector.extension) return []
    const here = `\`${connector.type}\` is an extension, which workers do not have: take \`runs-on\` out`
    const bare = `without a thread of its own a defect of the extension \`${connector.type}\` can stop the whole bridge`
    return [
      ...(isolate ? [] : [advice(['connectors', name, 'isolate'], bare)]),
      ...(runsOn.length > 0 ? [fatal(['connectors', name, 'runs-on'], here)] : []),
    ]
  })

/** What passes through Redis is sealed, its user's password is not. */
export const queueIsGuarded: Check = ({ config: { queue } }) => {
  if (!queue) return []
  const { protocol, hostname } = new URL(queue.redis)
  const isNear = ['localhost', '[::1]'].includes(hostname) || /^127\./.test(hostname)
  if (protocol === 'rediss:' || isNear)
    return queue.tls && protocol === 'redis:'
      ? [fatal(['queue', 'tls'], 'certificates are for `rediss://`: write it in `redis`')]
      : []
  const message =
    'the way to Redis is not encrypted: parcels are sealed, but the password and who talks when are not; use rediss://'
  return [advice(['queue', 'redis'], message)]
}
