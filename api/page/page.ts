import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

/** The page holds nothing of the site: it asks the API as whoever looks at it. So it needs no token itself. */
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The plain status page, and the one for location walks. */
export const pageRoutes = (app: FastifyInstance): void => {
  const files = [
    { url: '/', type: 'text/html', file: new URL('./status.html', import.meta.url) },
    { url: '/status.js', type: 'text/javascript', file: new URL('./status.js', import.meta.url) },
    { url: '/status.css', type: 'text/css', file: new URL('./status.css', import.meta.url) },
    { url: '/walk', type: 'text/html', file: new URL('./walk.html', import.meta.url) },
    { url: '/walk.js', type: 'text/javascript', file: new URL('./walk.js', import.meta.url) },
    { url: '/status.svg', type: 'image/svg+xml', file: new URL('./status.svg', import.meta.url) },
  ].map(({ url, type, file }) => ({ url, type, text: readFileSync(file, 'utf8') }))
  for (const { url, type, text } of files)
    app.get(url, { config: { needs: 'anybody' }, schema: { hide: true } }, (_request, reply) => {
      reply.header('content-security-policy', policy).header('referrer-policy', 'no-referrer')
      return reply.type(`${type}; charset=utf-8`).send(text)
    })
}
