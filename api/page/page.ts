import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'

/** The page holds nothing of the site: it asks the API as whoever looks at it. So it needs no token itself. */
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const read = (name: string): string => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8')

/** The plain status page. */
export const pageRoutes = (app: FastifyInstance): void => {
  const files = [
    { url: '/', type: 'text/html', text: read('status.html') },
    { url: '/status.js', type: 'text/javascript', text: read('status.js') },
    { url: '/status.css', type: 'text/css', text: read('status.css') },
  ]
  for (const { url, type, text } of files)
    app.get(url, { config: { needs: 'anybody' }, schema: { hide: true } }, (_request, reply) => {
      reply.header('content-security-policy', policy).header('referrer-policy', 'no-referrer')
      return reply.type(`${type}; charset=utf-8`).send(text)
    })
}
