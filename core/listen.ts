import { z } from 'zod'
import type { Finding } from './connector.ts'

/** Where a connector listens. */
export const Listen = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[^:\s[\]]+):\d{1,5}$/i, 'write host:port, such as 127.0.0.1:8081')
  .describe('Where it listens, as host:port.')

/** Own certificate of a connector that listens. */
export const ListenTls = z.strictObject({
  cert: z.string().min(1).describe('Path of the certificate chain, PEM.'),
  key: z.string().min(1).describe('Path of the private key, PEM.'),
})
export type ListenTls = z.infer<typeof ListenTls>

export const PlainBeyond = z
  .boolean()
  .describe('Listen beyond this machine although anybody there could read along or send presses.')

/** An address, or a network as 10.0.4.0/24. */
export const Network = z
  .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'write an address or a network, such as 10.0.4.0/24')
  .describe('An address or a network, such as 10.0.4.0/24.')

/** `[::1]:8081` as `::1` and 8081. */
export const hostAndPort = (listen: string): { host: string; port: number } => {
  const colon = listen.lastIndexOf(':')
  return { host: listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(listen.slice(colon + 1)) }
}

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/

/** Nothing listens beyond this machine unprotected, unless the config says so in so many words. `lacks` says what protects and is not there; empty when all is. */
export const listenFindings = (
  config: { readonly listen: string; readonly 'plain-beyond-this-machine': boolean },
  lacks: readonly string[],
): Finding[] => {
  const { host, port } = hostAndPort(config.listen)
  const path = ['config', 'listen']
  const findings: Finding[] = []
  if (port > 65_535) findings.push({ path, message: 'there is no such port: at most 65535', fatal: true })
  if (!loopback.test(host) && lacks.length > 0 && !config['plain-beyond-this-machine'])
    findings.push({
      path,
      message: `${host} is reachable from outside: add ${lacks.map((each) => `\`${each}\``).join(' and ')}, listen on 127.0.0.1, or write \`plain-beyond-this-machine: true\``,
      fatal: true,
    })
  return findings
}
