import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Paths of PEM files: an authority, a server's certificate of it for 127.0.0.1 and localhost, and a client's. */
export interface Certificates {
  readonly ca: string
  readonly server: { readonly cert: string; readonly key: string }
  /** For the bridge and its workers. */
  readonly cert: string
  readonly key: string
}

/** Makes them anew in `folder`, valid for two days. */
export const makeCertificates = async (folder: string): Promise<Certificates> => {
  const path = (name: string) => join(folder, name)
  const make = (name: string, ...more: string[]) =>
    run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-keyout', path(`${name}.key`), '-out', path(`${name}.pem`), ...more],
    ])
  const signed = ['-CA', path('authority.pem'), '-CAkey', path('authority.key')]
  const leaf = [...signed, '-addext', 'basicConstraints=critical,CA:FALSE']
  await make('authority')
  await make('server', ...leaf, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
  await make('client', ...leaf)
  return {
    ca: path('authority.pem'),
    server: { cert: path('server.pem'), key: path('server.key') },
    cert: path('client.pem'),
    key: path('client.key'),
  }
}
