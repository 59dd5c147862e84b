import { z } from 'zod'
import { SecretRef } from '../connector.ts'
import { Name } from './name.ts'

/** Redis and the workers that are reached through it. */
export const Queue = z
  .strictObject({
    redis: z
      .string()
      .regex(
        /^rediss?:\/\/([^/?#\s:@]+@)?(\[[0-9a-fA-F:]+\]|[^:/?#\s@]+)(:\d{1,5})?(\/\d{1,2})?$/,
        'write redis://USER@HOST:PORT, or rediss:// for TLS; the password has a field of its own',
      )
      .describe('Where Redis is: `redis://USER@HOST:PORT/DB`, `rediss://` for TLS.'),
    password: SecretRef.optional().describe('Password of the Redis user.'),
    tls: z
      .strictObject({
        ca: z
          .string()
          .min(1)
          .optional()
          .describe('Path of the certificates that are trusted, PEM; default: those of the system.'),
        cert: z.string().min(1).optional().describe('Path of our own certificate, PEM.'),
        key: z.string().min(1).optional().describe('Path of the private key of our own certificate, PEM.'),
      })
      .optional()
      .describe('Certificates for `rediss://`.'),
    namespace: z
      .string()
      .regex(/^[a-zA-Z0-9_-]{1,60}$/, 'use letters, digits, dashes and underscores, at most 60')
      .default('duress-bridge')
      .describe('What every key in Redis begins with; two bridges on one Redis need two.'),
    workers: z
      .record(
        Name.refine((name) => name !== 'bridge', '`bridge` is the bridge itself'),
        z.strictObject({
          key: SecretRef.describe(
            '32 bytes in base64, the same on the worker; what passes through Redis is sealed with them.',
          ),
        }),
      )
      .describe('The workers, each with its key.'),
  })
  .describe('Workers on other machines, and the Redis that commands reach them by.')
