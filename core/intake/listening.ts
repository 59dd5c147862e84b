import { z } from 'zod'
import type { Finding } from '../connector.ts'

/** Where a connector listens whose protocol has neither encryption nor proof of who sends; spread `Listening.shape` into its config. */
export const Listening = z.strictObject({
  listen: z
    .string()
    .regex(/^(\[[0-9a-f:]+\]|[^:\s]+):\d{1,5}$/i, 'write host:port, such as 127.0.0.1:8081')
    .optional()
    .describe(
      'Where it listens for the sender, or for the terminal server of its serial line, as host:port.',
    ),
  from: z
    .array(
      z
        .string()
        .regex(
          /^(\d{1,3}(\.\d{1,3}){3}(\/\d{1,2})?|[0-9a-f:.]*:[0-9a-f:.]*(\/\d{1,3})?)$/i,
          'write an address or a net, such as 10.0.4.7 or 10.0.4.0/24',
        ),
    )
    .max(100)
    .default([])
    .describe(
      'Addresses or nets that may connect; needed to listen beyond this machine. Empty: all that can reach it. This machine always may.',
    ),
})
export type Listening = z.infer<typeof Listening>

const loopback = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

/** The pure checks of where it listens; paths as in `Connector.check`. */
export const checkListening = ({ listen, from }: Listening): Finding[] => {
  if (listen === undefined) return []
  const host = listen.slice(0, listen.lastIndexOf(':'))
  const path = ['config', 'listen']
  const findings: Finding[] = []
  if (!loopback.test(host) && from.length === 0)
    findings.push({
      path,
      message: `${host} is reachable from outside, and nothing on this wire proves who sends: name the senders in \`from\``,
      fatal: true,
    })
  if (Number(listen.slice(host.length + 1)) > 65_535)
    findings.push({ path, message: 'there is no such port: at most 65535', fatal: true })
  return findings
}
